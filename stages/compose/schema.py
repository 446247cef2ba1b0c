"""All settings as one dataclass, and the special keys among them."""

from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, cast, get_args, get_origin

from omegaconf import MISSING

from fieldtune.models.base_models import ModelConfig
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
# Keys whose value is a choice: the name of a file in conf/<key>/
CHOICES = ("model", "generator")
# Keys of places, which DVC reads from params.yaml as dependencies
PLACES = ("documents", "queries", "pairs", "model_path", "pin", "style")


@dataclass
class Config:
    """All settings, as `conf/config.yaml` and `params.yaml` spell them."""

    documents: str = MISSING
    queries: str = MISSING
    pairs: str = MISSING
    model_path: str = MISSING
    pin: str = MISSING
    style: str = MISSING
    precision: str = MISSING
    launcher: str | None = MISSING
    offline: bool = MISSING
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


@cache
def known_keys() -> tuple[str, ...]:
    """All dotted keys, those of sections included."""
    return tuple(_keys(Config))


def item_type(key: str) -> type[Any] | None:
    """The type of a list's items; None for a key of another type."""
    kind: Any = Config
    for part in key.split("."):
        kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
        below = next((one for one in kinds if is_dataclass(one)), None)
        kind = {field.name: field.type for field in fields(below)}.get(part) if below else None
    return next(iter(get_args(kind)), None) if get_origin(kind) is list else None


def _keys(schema: type[Any], prefix: str = "") -> list[str]:
    keys = []
    for field in fields(schema):
        keys.append(prefix + field.name)
        kinds = get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        for kind in filter(is_dataclass, kinds):  # `A | None` too
            keys += _keys(cast(type[Any], kind), f"{prefix}{field.name}.")
    return keys
