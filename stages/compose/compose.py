"""params.yaml and conf/ → one validated config per stage, by Hydra's compose API.

Precedence: conf < params.yaml < the preset that `experiment:` names.
"""

import difflib
import re
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from stages.baseline.config import BaselineConfig
from stages.dataset.config import DatasetConfig
from stages.embed.config import EmbedConfig
from stages.errors import UserError
from stages.evaluate.config import EvaluateConfig
from stages.export.config import ExportConfig
from stages.generate.config import GenerateConfig, GeneratorConfig
from stages.ingest.config import IngestConfig
from stages.models import ModelConfig
from stages.sample.config import SampleConfig
from stages.settings import violations
from stages.train.config import TrainConfig

STAGES = ("sample", "ingest", "generate", "embed", "dataset", "baseline", "train", "evaluate", "export")
GROUPS = ("model", "generator")
# A preset may not move the data: it would compare runs on different documents.
NOT_IN_PRESETS = ("documents", "queries", "experiment")


@dataclass
class Config:
    """All settings, as `conf/config.yaml` and `params.yaml` spell them."""

    documents: str = MISSING
    queries: str = MISSING
    model_path: str = MISSING
    precision: str = MISSING
    model: ModelConfig = MISSING
    generator: GeneratorConfig = MISSING
    sample: SampleConfig = MISSING
    ingest: IngestConfig = MISSING
    generate: GenerateConfig = MISSING
    embed: EmbedConfig = MISSING
    dataset: DatasetConfig = MISSING
    baseline: BaselineConfig = MISSING
    train: TrainConfig = MISSING
    evaluate: EvaluateConfig = MISSING
    export: ExportConfig = MISSING


def compose(params_file: Path, conf: Path) -> Config:
    """Compose and validate all settings.

    Raises UserError that names the file and the key: for an unknown key, a wrong type, a missing value, a value
    out of range, and a choice that has no file (with those that there are).
    """
    params = _read_params(params_file, conf)
    choices = {group: _choice(params, group, params_file, conf) for group in GROUPS}
    ConfigStore.instance().store(name="schema", node=Config)
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            composed = hydra_compose("config", [f"{group}={choice}" for group, choice in choices.items()])
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_in_conf(error, conf)) from error
    try:
        merged = OmegaConf.merge(composed, params)
        OmegaConf.resolve(merged)
    except OmegaConfBaseException as error:
        raise UserError(f"{params_file}: {_explain(error)}") from error
    if missing := sorted(OmegaConf.missing_keys(merged)):
        raise UserError(f"no value for {', '.join(missing)}: set it in {params_file} or {conf}/")
    config = OmegaConf.to_object(merged)
    assert isinstance(config, Config)
    wrong = [line for stage in STAGES for line in violations(getattr(config, stage), stage)]
    if wrong:
        raise UserError("\n  ".join(wrong))
    return config


def stage_yaml(config: Config, stage: str) -> str:
    """The YAML text of one stage's settings, keys in the order of its dataclass."""
    return OmegaConf.to_yaml(OmegaConf.structured(getattr(config, stage)))


def _read_params(params_file: Path, conf: Path) -> DictConfig:
    params = _mapping(params_file)
    name = params.pop("experiment", None)
    if name is None:
        return params
    preset_file = _existing(conf, "experiment", str(name), params_file)
    preset = _mapping(preset_file)
    for key in NOT_IN_PRESETS:
        if key in preset:
            raise UserError(f"{preset_file} sets {key}: a preset may not; set it in {params_file}")
    merged = OmegaConf.merge(params, preset)
    assert isinstance(merged, DictConfig)
    return merged


def _mapping(path: Path) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there") from error
    except Exception as error:  # whatever the YAML parser raises, its message says the line
        raise UserError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{path} must hold keys and values")
    return loaded


def _choice(params: DictConfig, group: str, params_file: Path, conf: Path) -> str:
    choice = params.pop(group, None)
    if not isinstance(choice, str):
        raise UserError(f"{params_file}: {group} must name a file of {conf / group}/, without .yaml")
    _existing(conf, group, choice, params_file)
    return choice


def _existing(conf: Path, group: str, choice: str, params_file: Path) -> Path:
    there = sorted(path.stem for path in (conf / group).glob("*.yaml"))
    if choice not in there:
        raise UserError(
            f"{params_file}: {group}: {choice} has no file {conf / group / choice}.yaml; "
            f"there are: {', '.join(there) or 'none'}"
        )
    return conf / group / f"{choice}.yaml"


def _explain(error: Exception) -> str:
    key = getattr(error, "full_key", None) or "?"
    if isinstance(error, ConfigKeyError):
        close = difflib.get_close_matches(key, _keys(Config), n=1)
        return f"{key} is no known key" + (f"; did you mean {close[0]}?" if close else "")
    reason = str(getattr(error, "msg", None) or error).splitlines()[0]
    return f"{key}: {reason}"


def _in_conf(error: Exception, conf: Path) -> str:
    where = re.match(r"In '([^']+)'", str(error))
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    return f"{conf / where[1]}.yaml: {_explain(cause)}" if where else f"{conf}: {_explain(cause)}"


def _keys(schema: type[Any], prefix: str = "") -> list[str]:
    """All dotted keys that a settings dataclass knows."""
    keys = []
    for field in fields(schema):
        keys.append(prefix + field.name)
        if is_dataclass(field.type):
            keys += _keys(cast(type[Any], field.type), f"{prefix}{field.name}.")
    return keys
