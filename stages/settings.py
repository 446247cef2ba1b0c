"""The settings of a stage: a dataclass whose fields say what values they take.

Each stage's `config.py` declares one. Values come from `conf/` and `params.yaml` alone, so that there is one
place to look: fields have no defaults, and a value that is nowhere is an error.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar, cast

from omegaconf import MISSING, OmegaConf

from stages import paths
from stages.errors import UserError

Settings = TypeVar("Settings")


def between(low: float, high: float) -> Any:
    """A number from `low` to `high`, both included."""
    return dataclasses.field(default=MISSING, metadata={"between": (low, high)})


def one_of(*choices: str) -> Any:
    """One of these words."""
    return dataclasses.field(default=MISSING, metadata={"one_of": choices})


def violations(settings: Any, prefix: str) -> Iterator[str]:
    """Say which values of a dataclass (and of the dataclasses in it) are out of range, one sentence each."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        key = f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            yield from violations(value, key)
        elif "between" in field.metadata:
            low, high = field.metadata["between"]
            if value is not None and not low <= value <= high:
                yield f"{key} is {value}: it must lie between {low} and {high}"
        elif "one_of" in field.metadata and value not in field.metadata["one_of"]:
            yield f"{key} is {value!r}: it must be one of {', '.join(field.metadata['one_of'])}"


def load(stage: str, schema: type[Settings]) -> Settings:
    """Read the stage's composed settings from `data/config/<stage>.yaml`.

    Raises UserError where `compose` has not run.
    """
    path = paths.CONFIG / f"{stage}.yaml"
    if not path.is_file():
        raise UserError(f"{path} is not there: run `dvc repro` (its first stage, compose, writes it)")
    merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.load(path))
    return cast(Settings, OmegaConf.to_object(merged))
