"""Files of settings, from the weakest to the strongest: what each one sets, and which of them decides a key.

conf/config.yaml < the files that `model:` and `generator:` choose < params.yaml < the preset that `experiment:` names.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf.errors import OmegaConfBaseException

from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError
from stages.compose.messages import explain, no_value
from stages.compose.schema import CHOICES, PLACES, STAGES, known_keys, section


class Layer(NamedTuple):
    """One file and what it sets."""

    file: Path
    values: dict[str, Any]  # as in the YAML, `${…}` not resolved


class Layers(NamedTuple):
    """The files that set something, each list from the weakest to the strongest."""

    conf: list[Layer]  # config.yaml and the files of the choices, each after the files in its `defaults:`
    above: list[Layer]  # params.yaml and the preset
    choices: dict[str, Path]  # the file that each key of CHOICES names

    def origin(self, key: str) -> tuple[Path | None, str]:
        """The strongest file that sets a key (None: no file does), and the key as that file spells it.

        If `train.precision` is `${precision}` there, the key is `precision`, and the file the one that sets that.
        """
        for file, values in reversed([*self.conf, *self.above]):
            node: Any = values
            parts = key.split(".")
            for depth, part in enumerate(parts, start=1):
                if not isinstance(node, dict) or part not in node:
                    break
                node = node[part]
                reference = re.fullmatch(r"\$\{([\w.]+)\}", str(node))
                if reference and reference[1] in known_keys():
                    return self.origin(".".join([reference[1], *parts[depth:]]))
            else:
                return file, key
        return None, key


def read_layers(params_file: Path, conf: Path, values: Mapping[str, Any]) -> Layers:
    """Read all files that set something; `values` override what the files set.

    Raises UserError for a file that is not a mapping, a choice without a file, and a key that its file may not
    set.
    """
    above = [*_params_and_preset(params_file, conf), Layer(params_file, dict(values))]
    choices = {key: _choice(above, key, conf) for key in CHOICES}
    below = [
        Layer(conf / "config.yaml", _mapping(conf / "config.yaml")),
        *(Layer(part, {key: _mapping(part)}) for key, file in choices.items() for part in _with_defaults(file)),
    ]
    layers = Layers(below, above, choices)
    _refuse_misplaced(layers)
    return layers


def overruled(params_file: Path, conf: Path) -> list[str]:
    """The values of params.yaml that the preset overrides, a few words for each."""
    params, *presets = _params_and_preset(params_file, conf)
    weaker = dict(leaves(params.values))
    return [
        f"{key} {value} instead of {weaker[key]}"
        for preset in presets
        for key, value in leaves(preset.values)
        if key in weaker and weaker[key] != value
    ]


def available_choices(conf: Path, key: str) -> list[str]:
    """The names that `key:` may have; a file whose name starts with `_` is for other files to include."""
    return sorted(path.stem for path in (conf / key).glob("[!_]*.yaml"))


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values; a list is a value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _params_and_preset(params_file: Path, conf: Path) -> list[Layer]:
    params = _mapping(params_file)
    name = params.pop("experiment", None)
    if name is None:
        return [Layer(params_file, params)]
    preset = _existing(conf, "experiment", name, params_file)
    values = _mapping(preset)
    for key in (*PLACES, "experiment"):
        if key in values:
            raise UserError(f"{preset}: a preset may not set {key}: set it in {params_file}")
    return [Layer(params_file, params), Layer(preset, values)]


def _mapping(file: Path) -> dict[str, Any]:
    """A YAML file as plain keys and values."""
    try:
        return files.read_mapping(file)
    except OmegaConfBaseException as error:
        raise UserError(f"{file}: {explain(error, '')}") from error


def _with_defaults(file: Path) -> list[Path]:
    """The file of a choice, after the files that its `defaults:` name: each overrides the ones before it."""
    below = [file.with_name(f"{name}.yaml") for name in _mapping(file).get("defaults") or [] if name != "_self_"]
    return [*(part for one in below for part in _with_defaults(one)), file]


def _choice(above: list[Layer], key: str, conf: Path) -> Path:
    """The file that the strongest layer chooses for `key`."""
    file, choice = next(
        ((layer.file, layer.values[key]) for layer in reversed(above) if key in layer.values), (above[0].file, None)
    )
    return _existing(conf, key, choice, file)


def _existing(conf: Path, key: str, choice: object, file: Path) -> Path:
    """The file that `file` chooses for `key`."""
    folder = conf / key
    names = available_choices(conf, key)
    available = f"available: {', '.join(names) or 'none'}"
    if isinstance(choice, dict):
        keys = ", ".join(f"{key}.{below}" for below, _ in leaves(choice))
        raise UserError(
            f"{file}: {keys} may not be set here: `{key}:` names a file in {folder}/; edit its values there, "
            f"in {folder}/<name>.yaml; {available}"
        )
    if choice not in names:
        problem = f"{choice!r} is not a file in {folder}/" if choice else f"choose a file in {folder}/"
        raise UserError(f"{file}: {key}: {problem}; {available}")
    return folder / f"{choice}.yaml"


def _refuse_misplaced(layers: Layers) -> None:
    """Reject places and choices of a single stage.

    All stages share them: DVC would not see another place, nor one stage the model of another.
    """
    for file, values in [*layers.conf, *layers.above]:
        for key, value in leaves(values):
            stage, _, rest = key.partition(".")
            name = rest.partition(".")[0]
            if stage in map(section, STAGES) and name in (*PLACES, *CHOICES) and value != f"${{{name}}}":
                instead = f"set `{name}:` instead"
                if name in CHOICES:
                    instead = f"edit {layers.choices[name]}, or set `{name}:` to another file there"
                raise UserError(f"{file}: {key} may not be set, since all stages share it; {instead}")
            if key in PLACES and isinstance(value, bool | int | float):
                raise UserError(f"{file}: {key} is {str(value).lower()}: it must be text: a path, in quotes if need be")
            if key in PLACES and not str(value or "").strip():
                raise UserError(f"{file}: {no_value(key)}")
            if key in PLACES and "${" in str(value):
                raise UserError(f"{file}: {key} must be a plain path: DVC reads it, too, and does not resolve ${{…}}")
