"""Settings of the stage `rivals`, and the file in which a team names its rivals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from fieldtune.corpus import files
from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import between, one_of

FILE = "rivals.yaml"  # in the folder that `rivals:` names
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass
class RivalsConfig:
    rivals: str = MISSING  # the folder with rivals.yaml, `rivals:` of params.yaml
    # The models of conf/model/ if there are rivals; compose fills it in
    bases: dict[str, ModelConfig] = field(default_factory=dict)
    precision: str = one_of("auto", "bf16", "fp32")  # as in `embed`
    batch_size: int = between(1, 4096)  # `embed`'s


@dataclass
class Folder:
    """A Sentence Transformers folder."""

    folder: str = MISSING  # beside rivals.yaml
    query_prompt: str | None = None  # null: the folder's own
    passage_prompt: str | None = None


@dataclass
class Base:
    """A model of conf/model/, as it is."""

    base: str = MISSING  # the file's name, such as bge_small


@dataclass
class Run:
    """The results of a search of one's own."""

    run: str = MISSING  # a file beside rivals.yaml: TREC's format, or JSONL of `query` and `results`


@dataclass
class Api:
    """An embeddings API of OpenAI's protocol.

    What is bought stays bought while `model`, `dimensions`, `extra` and the kind's prefix and extra stay as they are.
    """

    url: str = MISSING  # what the official client takes as base_url: https://api.openai.com/v1
    model: str = MISSING
    price: float = MISSING  # dollars per million tokens; 0: a server of one's own
    prices_date: str = ""  # when the price was looked up
    budget_usd: float = 5.0  # most that this repository spends on this model, all runs together
    key_env: str | None = None  # the environment variable with the key; null: the server wants none
    dimensions: int | None = None  # null: the model's own
    query_prefix: str = ""
    passage_prefix: str = ""
    # Further fields of each request, of those with queries, and of those with passages: {input_type: query}
    extra: dict[str, Any] = field(default_factory=dict)
    query_extra: dict[str, Any] = field(default_factory=dict)
    passage_extra: dict[str, Any] = field(default_factory=dict)
    texts: int = 64  # in one request
    max_concurrency: int = 8  # requests at once, at most; fewer if the server refuses
    timeout: float = 120.0  # seconds for one request
    attempts: int = 8  # of one request that fails on the way
    backoff: float = 0.5  # seconds before the second attempt; doubles from there, up to a minute


Settings = Folder | Base | Run | Api
_KINDS: dict[str, type[Any]] = {"folder": Folder, "base": Base, "run": Run, "url": Api}  # by the key that tells
_AT_LEAST = {
    "price": 0, "budget_usd": 0, "dimensions": 1, "texts": 1, "max_concurrency": 1, "timeout": 0.1, "attempts": 1,
    "backoff": 0.01,
}  # fmt: skip


def read_rivals(place: Path) -> dict[str, Settings]:
    """The rivals by name; none if the place is an empty file. Raises UserError that names the file and the key."""
    if place.is_file() and files.is_blank(place):
        return {}
    file = place / FILE
    if not file.is_file():
        raise UserError(
            f"params.yaml: rivals: {place} must be a folder with a file {FILE}, which names the rivals beside it; for "
            f"none, write {paths.NONE}"
        )
    values = files.read_mapping(file, "names to rivals")
    return {str(name): _rival(file, str(name), value) for name, value in values.items()}


def _rival(file: Path, name: str, value: object) -> Settings:
    where = f"{file}: {name}"
    if not _NAME.fullmatch(name):
        raise UserError(f"{where}: a name has up to 40 letters, digits and `_`, `.` or `-`")
    kinds = [kind for kind in _KINDS if isinstance(value, Mapping) and kind in value]
    if len(kinds) != 1:
        named = f"has {' and '.join(kinds)}" if kinds else "does not say what it is"
        raise UserError(f"{where} {named}: write one of `folder:`, `base:`, `url:` (an embeddings API) and `run:`")
    schema = _KINDS[kinds[0]]
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.create(dict(cast(Mapping[str, Any], value))))
        settings = cast(Settings, OmegaConf.to_object(merged))
    except ConfigKeyError as error:
        known = ", ".join(one.name for one in fields(schema))
        raise UserError(f"{where}: unknown key {error.key}; available: {known}") from error
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{where}: {getattr(error, 'full_key', None) or kinds[0]}: {reason}") from error
    for key, least in _AT_LEAST.items():
        number = getattr(settings, key, None)
        if number is not None and not number >= least:
            raise UserError(f"{where}: {key} is {number}: it must be at least {least}")
    return settings
