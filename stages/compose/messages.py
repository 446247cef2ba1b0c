"""Messages for OmegaConf's errors and for missing values: which key, what is wrong, what to write instead."""

import difflib
from typing import Any

import yaml
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from fieldtune.runtime import paths
from stages.compose.schema import CHOICES, PLACES, item_type, known_keys

NONE = f"if you have none, write {paths.NONE}"
# Other tools' names for our keys
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
_CLOSE = 0.75  # from here on two names are alike: epoch and epochs are, lr and lora are not
# OmegaConf's words for a value of the wrong type, and what the value must be
_TYPES = {
    "converted to Float": "a number",
    "converted to Integer": "a whole number",
    "not a valid bool": "true or false",
    "to string": "text",
    "is not a ListConfig": "a list",
}


def explain(error: Exception, key: str) -> str:
    """One sentence about an OmegaConf error; `key` is used if the error itself does not name its key."""
    key = getattr(error, "full_key", None) or key
    if isinstance(error, (ConfigKeyError, ConfigAttributeError)):
        return f"unknown key {key}; {_suggest(key)}"
    if key and (below := _keys_below(key)):
        return f"{key} must be a mapping with the keys {', '.join(below)}"
    reason = str(getattr(error, "msg", None) or error).splitlines()[0]
    if "not Optional" in reason or "value 'None'" in reason:
        return no_value(key)
    if wanted := next((wanted for words, wanted in _TYPES.items() if words in reason), None):
        value = getattr(error, "value", None)
        return f"{key} is {value!r}: it must be {wanted}{_such(key, value) if wanted == 'a list' else ''}"
    return f"{key}: {reason}" if key else reason


_ITEMS: dict[type[Any], str] = {int: "whole numbers", float: "numbers", str: "words"}


def _such(key: str, value: object) -> str:
    """The list that was meant, if it would be accepted; otherwise what the list must be of."""
    kind = item_type(key)
    if kind is None:
        return ""
    if type(value) is kind and kind is not str:
        return f", such as [{value}]"
    readings = [_yaml(text) for text in (value, f"[{value}]")] if isinstance(value, str) else []
    for reading in readings:  # a list that was quoted, or whose brackets were forgotten
        if isinstance(reading, list) and reading and all(type(item) is kind for item in reading):
            return f" without quotes: [{', '.join(map(str, reading))}]"
    return f" of {_ITEMS[kind]}"


def _yaml(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def no_value(key: str) -> str:
    return f"no value for {key}" + (f": {NONE}" if key in PLACES and key != "documents" else "")


def _suggest(key: str) -> str:
    """The known key that an unknown one was probably meant to be; if none is similar, all keys beside it."""
    section, _, name = key.rpartition(".")
    beside = _keys_below(section)
    called = _CALLED.get(name, name)
    close = difflib.get_close_matches(_last(called), beside, n=1, cutoff=_CLOSE)
    meant = [f"{section}.{close[0]}" if section else close[0]] if close else []
    meant += [known for known in known_keys() if called in (known, _last(known))]
    if meant:
        return f"did you mean {meant[0]}?"
    settable = [name for name in beside if not section or name not in (*PLACES, *CHOICES)]
    return f"available{f' in {section}' if section else ''}: {', '.join(settable)}"


def _keys_below(section: str) -> list[str]:
    """The names of the keys directly below a section; for "", of all sections and the keys beside them."""
    return [_last(known) for known in known_keys() if known.rpartition(".")[0] == section]


def _last(key: str) -> str:
    return key.rpartition(".")[2]
