"""The settings of a stage: a dataclass whose fields declare which values they accept.

Each stage's `config.py` declares one. Values come only from `conf/` and `params.yaml`, so there is one place to
look: fields have no defaults, and a missing value is an error.

pydantic under Hydra was tried on TrainConfig, as `epochs: Annotated[float, Field(ge=0.01, le=100, description="…")] =
MISSING`: its 49 lines became 149, importing pydantic took 0.06 s more, and OmegaConf rejects `Literal`. Messages got
worse: a pydantic error names one end of a range where a sentence here names both, and OmegaConf, which builds the
innermost dataclass first, passes on only that one's errors, under keys without their parents.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar, cast

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

Settings = TypeVar("Settings")

# RFC 5646: the shortest code of a language, then script (Hant), region (BR, 419) and variants
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*")


_COMMIT = re.compile(r"[0-9a-f]{40}")


class _Rule(NamedTuple):
    """A test for a value that is not None, and the words that end the message about a value that fails it."""

    holds: Callable[[Any], object]
    words: str


def between(low: float, high: float) -> Any:
    """A number from `low` to `high`, inclusive."""
    return _field(lambda value: low <= value <= high, f"it must lie between {low} and {high}")


def numbers_between(low: float, high: float) -> Any:
    """A list of numbers from `low` to `high`, which may be empty."""
    return _field(
        lambda values: all(low <= number <= high for number in values), f"each must lie between {low} and {high}"
    )


def one_of(*choices: str) -> Any:
    """One of these words."""
    return _field(lambda value: value in choices, f"it must be one of {', '.join(choices)}")


def some_of(*choices: str) -> Any:
    """A list of one or more of these words."""
    return _field(
        lambda values: bool(values) and set(values) <= set(choices), f"it must list one or more of {', '.join(choices)}"
    )


def any_words() -> Any:
    """A list of words, which may be empty."""
    return _field(_are_words, "it must list words")


def language_tags() -> Any:
    """A list of distinct language tags by BCP 47, such as de, pt-BR and zh-Hant, which may be empty or null."""
    rule = _Rule(
        lambda values: len(set(values)) == len(values) and all(map(_LANGUAGE_TAG.fullmatch, values)),
        "it must list language tags such as de, pt-BR or zh-Hant, each once",
    )
    return dataclasses.field(default=None, metadata={"rule": rule})


def commit() -> Any:
    """A commit, 40 hexadecimal digits, or null."""
    rule = _Rule(_COMMIT.fullmatch, "it must be a commit, 40 hexadecimal digits")
    return dataclasses.field(default=None, metadata={"rule": rule})


def any_mapping() -> Any:
    """A mapping, which may be empty."""
    return _field(lambda value: isinstance(value, dict), "it must be a mapping")


def _are_words(values: list[Any]) -> bool:
    return all(isinstance(item, str) for item in values)


def _field(holds: Callable[[Any], bool], words: str) -> Any:
    return dataclasses.field(default=MISSING, metadata={"rule": _Rule(holds, words)})


_LIST = _Rule(lambda values: bool(values) and _are_words(values), "it must list at least one word")  # of a plain list


def violations(settings: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """The keys of a dataclass (and of the dataclasses in it) that are out of range, each with what is wrong.

    For a value in a mapping, the key is the mapping's: keys inside it may contain dots.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        key = f"{prefix}.{field.name}"
        rule = field.metadata.get("rule", _LIST if isinstance(value, list) else None)
        if dataclasses.is_dataclass(value):
            yield from violations(value, key)
        elif isinstance(value, dict):
            for name, item in value.items():
                if not dataclasses.is_dataclass(item):
                    continue
                yield from ((key, f"has {place} that {problem}") for place, problem in violations(item, str(name)))
        elif rule and value is not None and not rule.holds(value):
            yield key, f"is {value!r}: {rule.words}"


def load(stage: str, schema: type[Settings]) -> Settings:
    """Read the stage's composed settings from `data/config/<stage>.yaml`.

    Raises UserError if `compose` has not run since the settings' keys changed.
    """
    path = paths.CONFIG / f"{stage}.yaml"
    if not path.is_file():
        raise UserError(f"{path} not found: run `dvc repro` (its first stage, compose, writes it)")
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.load(path))
        return cast(Settings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} does not have this stage's settings ({reason}): run `dvc repro`, which composes again"
        ) from error
