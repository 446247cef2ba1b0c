"""The settings of a stage: a dataclass whose fields say what values they take.

Each stage's `config.py` declares one. Values come from `conf/` and `params.yaml` alone, so that there is one
place to look: fields have no defaults, and a value that is nowhere is an error.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar, cast

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

Settings = TypeVar("Settings")


def between(low: float, high: float) -> Any:
    """A number from `low` to `high`, both included."""
    return dataclasses.field(default=MISSING, metadata={"between": (low, high)})


def numbers_between(low: float, high: float) -> Any:
    """A list of numbers from `low` to `high`, which may be empty."""
    return dataclasses.field(default=MISSING, metadata={"numbers": (low, high)})


def one_of(*choices: str) -> Any:
    """One of these words."""
    return dataclasses.field(default=MISSING, metadata={"one_of": choices})


def some_of(*choices: str) -> Any:
    """A list of some of these words, at least one."""
    return dataclasses.field(default=MISSING, metadata={"some_of": choices})


def any_words() -> Any:
    """A list of words, which may be empty."""
    return dataclasses.field(default=MISSING, metadata={"any_words": True})


def violations(settings: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """The keys of a dataclass (and of the dataclasses in it) that are out of range, each with what is wrong. For what
    is in a mapping, that is the mapping's key: those inside may hold dots.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        key = f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            yield from violations(value, key)
        elif isinstance(value, dict):
            for name, item in value.items():
                yield from ((key, f"has {place} that {said}") for place, said in violations(item, str(name)))
        elif "between" in field.metadata:
            low, high = field.metadata["between"]
            if value is not None and not low <= value <= high:
                yield key, f"is {value}: it must lie between {low} and {high}"
        elif "numbers" in field.metadata:
            low, high = field.metadata["numbers"]
            if not all(low <= number <= high for number in value):
                yield key, f"is {value}: each must lie between {low} and {high}"
        elif "one_of" in field.metadata:
            if value not in field.metadata["one_of"]:
                yield key, f"is {value!r}: it must be one of {', '.join(field.metadata['one_of'])}"
        elif "some_of" in field.metadata:
            if not value or set(value) - set(field.metadata["some_of"]):
                yield key, f"is {value}: it must list some of {', '.join(field.metadata['some_of'])}"
        elif isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                yield key, f"is {value}: it must list words"
            elif not value and "any_words" not in field.metadata:
                yield key, f"is {value}: it must list words, at least one"


def load(stage: str, schema: type[Settings]) -> Settings:
    """Read the stage's composed settings from `data/config/<stage>.yaml`.

    Raises UserError where `compose` has not run since the settings' keys changed.
    """
    path = paths.CONFIG / f"{stage}.yaml"
    if not path.is_file():
        raise UserError(f"{path} is not there: run `dvc repro` (its first stage, compose, writes it)")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.load(path))
        return cast(Settings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is not what this stage reads ({reason}): run `dvc repro`, which composes anew"
        ) from error
