"""params.yaml and conf/ → one validated config per stage, by Hydra's compose API.

Precedence: conf < params.yaml < the preset that `experiment:` names.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, cast, get_args

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import violations
from stages.baseline.config import BaselineConfig
from stages.curve.config import CurveConfig
from stages.dataset.config import DatasetConfig
from stages.embed.config import EmbedConfig
from stages.evaluate.config import EvaluateConfig
from stages.export.config import ExportConfig
from stages.generate.config import GenerateConfig, GeneratorConfig
from stages.ingest.config import IngestConfig
from stages.real.config import RealConfig
from stages.sample.config import SampleConfig
from stages.train.config import TrainConfig

STAGES = (
    "sample",
    "ingest",
    "real",
    "generate",
    "embed",
    "dataset",
    "baseline",
    "train",
    "curve",
    "evaluate",
    "export",
)
GROUPS = ("model", "generator")
# Places that DVC reads from params.yaml as dependencies.
PLACES = ("documents", "queries", "pairs", "model_path", "pin")
_NOT_ABOVE = (
    ("dataset.negatives.first_rank", "dataset.negatives.last_rank"),
    ("train.negatives", "dataset.negatives.count"),
    ("baseline.worth_it", "baseline.good_enough"),
    ("evaluate.negligible", "evaluate.meaningful"),
)
_NONE = f"for none write {paths.NONE}"
# What other tools call them
_CALLED = {
    "lr": "train.learning_rate",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "batch": "train.batch_size",
    "per_device_train_batch_size": "train.batch_size",
    "mini_batch_size": "train.microbatch_tokens",
    "warmup_ratio": "train.warmup",
    "warmup_steps": "train.warmup",
    "lora_r": "train.lora",
    "matryoshka_dims": "train.matryoshka",
    "num_hard_negatives": "train.negatives",
    "early_stopping_patience": "train.patience",
    "fp16": "precision",
    "bf16": "precision",
    "chunk_size": "ingest.max_tokens",
    "chunk_overlap": "ingest.overlap",
}
_CLOSE = 0.75  # from here two names are alike: epoch and epochs are, lr and lora are not
# What OmegaConf says of a value of the wrong type, and what it must be
_TYPES = {
    "converted to Float": "a number",
    "converted to Integer": "a whole number",
    "not a valid bool": "true or false",
    "to string": "a text",
    "is not a ListConfig": "a list",
}


@dataclass
class Config:
    """All settings, as `conf/config.yaml` and `params.yaml` spell them."""

    documents: str = MISSING
    queries: str = MISSING
    pairs: str = MISSING
    model_path: str = MISSING
    pin: str = MISSING
    precision: str = MISSING
    launcher: str | None = MISSING
    model: ModelConfig = MISSING
    generator: GeneratorConfig = MISSING
    sample: SampleConfig = MISSING
    ingest: IngestConfig = MISSING
    real: RealConfig = MISSING
    generate: GenerateConfig = MISSING
    embed: EmbedConfig = MISSING
    dataset: DatasetConfig = MISSING
    baseline: BaselineConfig = MISSING
    train: TrainConfig = MISSING
    curve: CurveConfig = MISSING
    evaluate: EvaluateConfig = MISSING
    export: ExportConfig = MISSING


class _Layer(NamedTuple):
    """What one file sets."""

    file: Path
    values: dict[str, Any]  # as YAML has it, `${…}` not resolved


def compose(params_file: Path, conf: Path, values: Mapping[str, Any] | None = None) -> Config:
    """Compose and validate all settings; `values` of params.yaml's first level are stronger than the file's.

    Raises UserError that names the file and the key: for an unknown key, a wrong type, a missing value, a value
    out of range, and a choice that has no file (with those that there are).
    """
    above = _params_and_preset(params_file, conf)
    if values:
        above.append(_Layer(params_file, dict(values)))
    choices = {group: _choice(above, group, conf) for group in GROUPS}
    groups = {group: conf / group / f"{choice}.yaml" for group, choice in choices.items()}
    below = [
        _Layer(conf / "config.yaml", _mapping(conf / "config.yaml")),
        *(_Layer(part, {group: _mapping(part)}) for group, file in groups.items() for part in _with_defaults(file)),
    ]
    layers = [*below, *above]
    _refuse_misplaced(layers, groups)
    config = _in_hydra(conf, choices)
    for layer in above:
        for key, value in _leaves(layer.values):
            if key not in GROUPS:
                _set(config, key, value, layer.file)
    _refuse(_unresolved(config, layers, params_file, groups))
    settings = OmegaConf.to_object(config)
    assert isinstance(settings, Config)
    wrong = [found for stage in STAGES for found in violations(getattr(settings, stage), stage)]
    _refuse(_sentence(layers, key, said) for key, said in [*wrong, *_contradictions(config)])
    return settings


def overruled(params_file: Path, conf: Path) -> list[str]:
    """What the preset sets to another value than params.yaml has: for each key a few words."""
    params, *preset = _params_and_preset(params_file, conf)
    there = dict(_leaves(params.values))
    return [
        f"{key} {value} instead of {there[key]}"
        for layer in preset
        for key, value in _leaves(layer.values)
        if key in there and there[key] != value
    ]


def available_choices(conf: Path, group: str) -> list[str]:
    """The names that `group:` may have; a file whose name starts with `_` is one that others take in."""
    return sorted(path.stem for path in (conf / group).glob("[!_]*.yaml"))


def stage_yaml(config: Config, stage: str) -> str:
    """The YAML text of one stage's settings, keys in the order of its dataclass."""
    return OmegaConf.to_yaml(OmegaConf.structured(getattr(config, stage)))


def _refuse(problems: Iterable[str]) -> None:
    if said := list(dict.fromkeys(problems)):
        raise UserError("\n  ".join(said))


def _params_and_preset(params_file: Path, conf: Path) -> list[_Layer]:
    params = _mapping(params_file)
    name = params.pop("experiment", None)
    if name is None:
        return [_Layer(params_file, params)]
    preset = _existing(conf, "experiment", name, params_file)
    values = _mapping(preset)
    for key in (*PLACES, "experiment"):
        if key in values:
            raise UserError(f"{preset}: a preset may not set {key}; set it in {params_file}")
    return [_Layer(params_file, params), _Layer(preset, values)]


def _mapping(file: Path) -> dict[str, Any]:
    """A YAML file as plain keys and values; OmegaConf reads it, since `5e-05` is no number to PyYAML."""
    try:
        loaded = OmegaConf.load(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} is not there") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{file}{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    except OmegaConfBaseException as error:
        raise UserError(f"{file}: {_explain(error, '')}") from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{file} must hold keys and values")
    return cast(dict[str, Any], OmegaConf.to_container(loaded, resolve=False))


def _with_defaults(file: Path) -> list[Path]:
    """A group's file, behind those that its `defaults:` name: each is stronger than the ones before it."""
    below = [file.with_name(f"{name}.yaml") for name in _mapping(file).get("defaults") or [] if name != "_self_"]
    return [*(part for one in below for part in _with_defaults(one)), file]


def _choice(layers: Sequence[_Layer], group: str, conf: Path) -> str:
    file, choice = next(
        ((layer.file, layer.values[group]) for layer in reversed(layers) if group in layer.values),
        (layers[0].file, None),
    )
    return _existing(conf, group, choice, file).stem


def _existing(conf: Path, group: str, choice: object, file: Path) -> Path:
    """The file of a group that `file` chooses."""
    there = available_choices(conf, group)
    if isinstance(choice, dict):
        keys = ", ".join(f"{group}.{key}" for key, _ in _leaves(choice))
        raise UserError(
            f"{file}: {keys} may not be set here: `{group}:` names a file of {conf / group}/, and what it holds is "
            f"edited there, in {conf / group}/<name>.yaml; there are: {', '.join(there) or 'none'}"
        )
    if choice not in there:
        wanted = f"{choice!r} is no file of {conf / group}/" if choice else f"choose a file of {conf / group}/"
        raise UserError(f"{file}: {group}: {wanted}; there are: {', '.join(there) or 'none'}")
    return conf / group / f"{choice}.yaml"


def _refuse_misplaced(layers: Sequence[_Layer], groups: dict[str, Path]) -> None:
    """What all stages share is set once: DVC would not see other places, nor the stages one another's model."""
    for file, values in layers:
        for key, value in _leaves(values):
            stage, _, rest = key.partition(".")
            name = rest.partition(".")[0]
            if stage in STAGES and name in (*PLACES, *GROUPS) and value != f"${{{name}}}":
                instead = f"set `{name}:` instead"
                if name in groups:
                    instead = f"edit {groups[name]}, or set `{name}:` to another file there"
                raise UserError(f"{file}: {key} may not be set: all stages have the same; {instead}")
            if key in PLACES and "${" in str(value):
                raise UserError(f"{file}: {key} must be a plain path: DVC reads it too, and resolves no ${{…}}")


def _in_hydra(conf: Path, choices: dict[str, str]) -> DictConfig:
    """conf/ as Hydra composes it, with the stages' dataclasses as schema."""
    ConfigStore.instance().store(name="schema", node=Config)
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            return hydra_compose("config", [f"{group}={choice}" for group, choice in choices.items()])
    except (HydraException, OmegaConfBaseException) as error:
        where = re.match(r"In '([^']+)'", str(error))
        cause = error.__context__ if isinstance(error.__context__, OmegaConfBaseException) else error
        raise UserError(f"{conf / where[1] if where else conf / 'config'}.yaml: {_explain(cause, '')}") from error


def _set(config: DictConfig, key: str, value: object, file: Path) -> None:
    try:
        OmegaConf.update(config, key, value)
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{file}: {_explain(error, key)}") from error


def _explain(error: Exception, key: str) -> str:
    """One sentence on an error of OmegaConf's; `key` is where, if the error itself does not know."""
    key = getattr(error, "full_key", None) or key
    known = _known_keys()
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        return f"{key} is no known key; {_meant(key)}"
    if below := [name.removeprefix(f"{key}.") for name in known if name.startswith(f"{key}.")]:
        return f"{key} must hold keys and values: {', '.join(name for name in below if '.' not in name)}"
    reason = str(getattr(error, "msg", None) or error).splitlines()[0]
    if "not Optional" in reason or "value 'None'" in reason:
        return _no_value(key)
    if wanted := next((wanted for said, wanted in _TYPES.items() if said in reason), None):
        value = getattr(error, "value", None)
        such = f", such as [{value!r}]" if wanted == "a list" else ""
        return f"{key} is {value!r}: it must be {wanted}{such}"
    return f"{key}: {reason}" if key else reason


def _meant(key: str) -> str:
    """What a key that is not known was meant for, or else which ones there are."""
    above, _, name = key.rpartition(".")
    beside = {known.rpartition(".")[2]: known for known in _known_keys() if known.rpartition(".")[0] == above}
    called = _CALLED.get(name, name)
    close = difflib.get_close_matches(called.rpartition(".")[2], beside, n=1, cutoff=_CLOSE)
    elsewhere = [known for known in _known_keys() if known == called or known.rpartition(".")[2] == called]
    if close or elsewhere:
        return f"did you mean {beside[close[0]] if close else elsewhere[0]}?"
    settable = [one for one in beside if not above or one not in (*PLACES, *GROUPS)]
    return f"{above or 'there'} {'has' if above else 'are'}: {', '.join(settable)}"


def _no_value(key: str) -> str:
    return f"no value for {key}" + (f": {_NONE}" if key in PLACES and key != "documents" else "")


def _unresolved(
    config: DictConfig, layers: Sequence[_Layer], params_file: Path, groups: dict[str, Path]
) -> Iterator[str]:
    """A sentence for each value that is missing or whose `${…}` cannot be resolved."""
    for key in _known_keys():
        try:
            OmegaConf.select(config, key, throw_on_missing=True)
        except (MissingMandatoryValue, InterpolationToMissingValueError):
            _, place = _origin(layers, key)
            yield f"{groups.get(place.partition('.')[0], params_file)}: {_no_value(place)}"
        except OmegaConfBaseException as error:
            file, place = _origin(layers, key)
            yield f"{file}: {_explain(error, place)}"


def _contradictions(config: DictConfig) -> Iterator[tuple[str, str]]:
    for low, high in _NOT_ABOVE:
        if OmegaConf.select(config, low) > OmegaConf.select(config, high):
            yield low, f"is {OmegaConf.select(config, low)}: above {high}, {OmegaConf.select(config, high)}"
    train = config.train
    if train.patience is not None and train.patience + 1 >= train.evaluations:
        yield (
            "train.patience",
            f"is {train.patience}: with train.evaluations {train.evaluations} no run would end early",
        )
    if train.rounds > 1 and not config.dataset.negatives.count:
        yield "train.rounds", f"is {train.rounds}: each further one mines, and dataset.negatives.count is 0"


def _sentence(layers: Sequence[_Layer], key: str, said: str) -> str:
    file, place = _origin(layers, key)
    return f"{file}: {place} {said}"


def _origin(layers: Sequence[_Layer], key: str) -> tuple[Path | None, str]:
    """The strongest file that sets a key (None: no file does), and the key as it stands there: where
    `train.precision` is `${precision}`, that is `precision`.
    """
    for file, values in reversed(layers):
        node: Any = values
        parts = key.split(".")
        for depth, part in enumerate(parts, start=1):
            if not isinstance(node, dict) or part not in node:
                break
            node = node[part]
            reference = re.fullmatch(r"\$\{([\w.]+)\}", str(node))
            if reference and reference[1] in _known_keys():
                return _origin(layers, ".".join([reference[1], *parts[depth:]]))
        else:
            return file, key
    return None, key


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values; a list is a value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@cache
def _known_keys() -> tuple[str, ...]:
    return tuple(_keys(Config))


def _keys(schema: type[Any], prefix: str = "") -> list[str]:
    """All dotted keys that a settings dataclass knows."""
    keys = []
    for field in fields(schema):
        keys.append(prefix + field.name)
        kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        for kind in filter(is_dataclass, kinds):  # `A | None` too
            keys += _keys(cast(type[Any], kind), f"{prefix}{field.name}.")
    return keys
