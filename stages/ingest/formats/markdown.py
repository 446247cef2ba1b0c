"""Markdown: as files have it, and as the readers of other formats write code and tables."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields
from stages.ingest.formats.text import text_of
from stages.ingest.sections import Section, markdown_sections

# Those of a few bytes, such as examples in a text about them, stay.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[\w+/=%-]{64,}")


def read(path: Path, source: str, _: Fields) -> Content:
    return sections(path, source, text_of(path)), {}


def sections(path: Path, source: str, text: str) -> list[Section]:
    """The sections of mended Markdown, without the pictures that are written into it."""
    return markdown_sections(source, _DATA_URI.sub("", text), repair(path.stem))


def fenced(text: str, language: str = "") -> str:
    """A block of code, by a fence that is longer than any in it; nothing where it is blank."""
    if not text.strip():
        return ""
    code = text.strip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its header, without rows and columns that are blank."""
    width = max(map(len, rows), default=0)
    cells = [[" ".join(repair(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row + [""] * (width - len(row)) for row in cells if any(row)]
    used = [column for column in range(width) if any(row[column] for row in filled)]
    written = [f"| {' | '.join(row[column] for column in used)} |" for row in filled]
    return "\n".join([*written[:1], f"|{' --- |' * len(used)}", *written[1:]]) if written else ""


def cell(value: Any) -> str:
    """A value as the cell of a table shows it by default: 15 digits, no time at midnight, nothing for NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
