"""The block of metadata above the text of a Markdown file: YAML, TOML or JSON."""

import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

import yaml

# `---` on the first line counts as front matter only if a key follows: otherwise it is a rule over text.
_KEY = r"(?:[\w@$-]+|\"[^\"\n]+\"|'[^'\n]+')[ \t]*:"
_BEFORE = r"\A(?:\s*<!--(?:(?!-->).)*-->)*\s*"  # comments that a licence check wants first
_YAML = re.compile(
    rf"{_BEFORE}^---[ \t]*\n(?P<blank>\s*\n)?(?P<text>(?:[ \t]*#[^\n]*\n|[ \t]*\n)*{_KEY}.*?)"
    r"\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
_TOML = re.compile(rf"{_BEFORE}^\+\+\+[ \t]*\n(?P<text>.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# A blank line below `---` is odd in front matter: there, one of these keys tells it from a rule over `Note: …`.
_USUAL = {"title", "description", "date", "layout", "slug", "id", "tags", "weight"}


def split_front_matter(text: str) -> tuple[str, str]:
    """The title that the front matter gives ("" if none), and the text below it."""
    if match := _YAML.match(text):
        keys = _keys(match["text"], yaml.safe_load)
        if match["blank"] is None or (isinstance(keys, dict) and not _USUAL.isdisjoint(keys)):
            return _title(keys), text[match.end() :]
    elif match := _TOML.match(text):
        return _title(_keys(match["text"], tomllib.loads)), text[match.end() :]
    elif text.lstrip().startswith("{"):
        start = len(text) - len(text.lstrip())
        try:
            keys, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            return "", text
        if isinstance(keys, dict) and "title" in keys and text[end : end + 1] in ("\n", ""):
            return _title(keys), text[end:]
    return "", text


def _keys(text: str, load: Callable[[str], Any]) -> Any:
    try:
        return load(text)
    except (yaml.YAMLError, ValueError):  # other tools' templates, impossible dates
        return None


def _title(keys: Any) -> str:
    title = keys.get("title") if isinstance(keys, dict) else None
    return " ".join(str(title).split()) if title else ""
