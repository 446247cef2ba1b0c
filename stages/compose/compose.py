"""params.yaml and conf/ → one validated config per stage, by Hydra's compose API."""

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import violations
from stages.compose.layers import Layers, available_choices, leaves, read_layers
from stages.compose.messages import explain, no_value
from stages.compose.schema import CHOICES, STAGES, Config, known_keys, section

_NOT_ABOVE = (
    ("dataset.negatives.first_rank", "dataset.negatives.last_rank"),
    ("train.negatives", "dataset.negatives.count"),
    ("baseline.worth_it", "baseline.good_enough"),
    ("evaluate.negligible", "evaluate.meaningful"),
)


def compose(params_file: Path, conf: Path, values: Mapping[str, Any] | None = None) -> Config:
    """Compose and validate all settings; `values` override the top-level keys of params.yaml.

    Raises UserError that names the file and the key: for an unknown key, a wrong type, a missing value, a value
    out of range, and a choice without a file (with the choices that are available).
    """
    layers = read_layers(params_file, conf, values or {})
    config = _in_hydra(conf, layers.choices)
    for layer in layers.above:
        for key, value in leaves(layer.values):
            if key not in CHOICES:
                _set(config, key, value, layer.file)
    _refuse(_unresolved(config, layers))
    settings = OmegaConf.to_object(config)
    assert isinstance(settings, Config)
    sections = map(section, STAGES)
    out_of_range = [problem for name in sections for problem in violations(getattr(settings, name), name)]
    _refuse(_sentence(layers, key, problem) for key, problem in [*out_of_range, *_contradictions(settings)])
    return settings


def model_choices(conf: Path) -> dict[str, ModelConfig]:
    """The base models of conf/model/ with files of their own, by choice."""
    schema = OmegaConf.structured(ModelConfig)
    files_of = {name: OmegaConf.load(conf / f"model/{name}.yaml") for name in available_choices(conf, "model")}
    choices = {
        name: OmegaConf.to_object(OmegaConf.merge(schema, values))
        for name, values in files_of.items()
        if not OmegaConf.is_interpolation(values, "path")  # the model of `model_path:`
    }
    return cast(dict[str, ModelConfig], choices)


def stage_yaml(config: Config, stage: str) -> str:
    """The YAML text of one stage's settings, keys in the order of its dataclass."""
    return OmegaConf.to_yaml(OmegaConf.structured(getattr(config, section(stage))))


def _in_hydra(conf: Path, choices: dict[str, Path]) -> DictConfig:
    """conf/ as Hydra composes it, with the stages' dataclasses as schema."""
    ConfigStore.instance().store(name="schema", node=Config)
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            return hydra_compose("config", [f"{key}={file.stem}" for key, file in choices.items()])
    except (HydraException, OmegaConfBaseException) as error:
        where = re.match(r"In '([^']+)'", str(error))
        cause = error.__context__ if isinstance(error.__context__, OmegaConfBaseException) else error
        raise UserError(f"{conf / where[1] if where else conf / 'config'}.yaml: {explain(cause, '')}") from error


def _set(config: DictConfig, key: str, value: object, file: Path) -> None:
    try:
        OmegaConf.update(config, key, value)
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{file}: {explain(error, key)}") from error


def _refuse(problems: Iterable[str]) -> None:
    if lines := list(dict.fromkeys(problems)):
        raise UserError("\n  ".join(lines))


def _unresolved(config: DictConfig, layers: Layers) -> Iterator[str]:
    """A sentence for each value that is missing or whose `${…}` cannot be resolved."""
    for key in known_keys():
        try:
            OmegaConf.select(config, key, throw_on_missing=True)
        except (MissingMandatoryValue, InterpolationToMissingValueError):
            _, place = layers.origin(key)
            file = layers.choices.get(place.partition(".")[0], layers.above[0].file)
            yield f"{file}: {no_value(place)}"
        except OmegaConfBaseException as error:
            origin, place = layers.origin(key)
            yield f"{origin}: {explain(error, place)}"


def _contradictions(settings: Config) -> Iterator[tuple[str, str]]:
    """Keys whose values contradict another's, each with what is wrong."""
    for low, high in _NOT_ABOVE:
        value, limit = attrgetter(low, high)(settings)
        if value > limit:
            yield low, f"is {value}: it must not be above {high}, {limit}"
    train = settings.train
    if train.patience is not None and train.patience + 1 >= train.evaluations:
        yield (
            "train.patience",
            f"is {train.patience}: with train.evaluations {train.evaluations} no run would end early",
        )
    if train.rounds > 1 and not settings.dataset.negatives.count:
        yield (
            "train.rounds",
            f"is {train.rounds}: each round after the first mines negatives, and dataset.negatives.count is 0",
        )


def _sentence(layers: Layers, key: str, problem: str) -> str:
    file, place = layers.origin(key)
    return f"{file}: {place} {problem}"
