"""Edits to params.yaml, and other files of settings, that keep a person's comments."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

# Text for every YAML reader, DVC's (1.2) as well as ours (1.1).
_PLAIN = re.compile(r"[A-Za-z_/][\w./+@=-]*")


def read() -> tuple[str, dict[str, Any]]:
    """The text of params.yaml with its line ends as they are, and its values.

    Raises UserError if it is not found or is not a mapping.
    """
    if not paths.PARAMS.is_file():
        raise UserError(f"{paths.PARAMS} not found: run this from the root of the repository")
    try:
        text = paths.PARAMS.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{paths.PARAMS} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    return text, _values(text, paths.PARAMS)


def refuse_unreadable_places(values: Mapping[str, Any]) -> None:
    """Raise UserError for a place that is not text: DVC reads places first, and may end without a word."""
    from stages.compose.schema import PLACES

    for key in PLACES:
        value = values.get(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise UserError(f"{paths.PARAMS}: no value for {key}: write a path; for none: {paths.NONE}")
        if not isinstance(value, str):
            raise UserError(f"{paths.PARAMS}: {key} is {value!r}: it must be text: a path, in quotes if need be")


def edited(text: str, values: Mapping[str, str], file: Path = paths.PARAMS) -> str:
    """`text`, that of `file`, with other values for some top-level keys; no other byte of it changes.

    Raises UserError if that is impossible, as with a value that spans several lines.
    """
    before = _values(text, file)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = {key.value: node for key, node in root.value} if root else {}
    changes = {key: value for key, value in values.items() if before.get(key) != value}
    new = text
    for key in sorted(changes.keys() & nodes.keys(), key=lambda key: -nodes[key].start_mark.index):
        start, end = nodes[key].start_mark.index, nodes[key].end_mark.index
        space = "" if new[start - 1].isspace() else " "  # `key:` with nothing behind it
        new = new[:start] + space + _scalar(changes[key]) + new[end:]
    missing = [f"{key}: {_scalar(changes[key])}\n" for key in changes if key not in nodes]
    if missing and new and not new.endswith("\n"):
        new += "\n"
    new += "".join(missing)
    if not _reads(new, {**before, **values}, file):
        settings = ", ".join(f"`{key}: {_scalar(value)}`" for key, value in changes.items())
        raise UserError(f"{file} cannot be edited automatically as it is written; set there: {settings}")
    return new


def _reads(text: str, values: Mapping[str, Any], file: Path) -> bool:
    try:
        return _values(text, file) == values
    except UserError:
        return False


def _values(text: str, file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise files.invalid_yaml(file, error) from error
    if not isinstance(values or {}, dict):
        raise UserError(f"{file} must be a mapping of keys to values")
    return values or {}


def _scalar(value: str) -> str:
    """A text in YAML's notation."""
    plain = _PLAIN.fullmatch(value) and yaml.safe_load(value) == value
    return value if plain else json.dumps(value, ensure_ascii=False)
