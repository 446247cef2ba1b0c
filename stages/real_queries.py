"""The user's real queries: what people typed, with the sections that answer it."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages import files
from stages.errors import UserError
from stages.text import overlap


@dataclass
class RealQuery:
    """One distinct query with all its answers."""

    query: str
    answers: list[tuple[str, str]] = field(default_factory=list)  # (source, section); section "" is the whole file
    # The share of an answer's heading that the query repeats, the highest over its answers, if the file says it
    overlap: float | None = None


def read(path: Path) -> list[RealQuery]:
    """Read JSONL or CSV with `query`, `source` and, to be exact, `section`; rows of one query are joined.

    Raises UserError that names the line for what cannot be read; an empty file is no queries.
    """
    if not path.is_file():
        raise UserError(f"queries: {path} is not there; set `queries:` in params.yaml (none: data/none.jsonl)")
    queries: dict[str, RealQuery] = {}
    for number, row in _csv_rows(path) if path.suffix.lower() == ".csv" else files.read_rows(path):
        text, source, section = (_words(row.get(name)) for name in ("query", "source", "section"))
        if not text or not source:
            raise UserError(f"{path}, line {number}: `query` and `source` are needed")
        query = queries.setdefault(text, RealQuery(text))
        query.answers.append((source, section))
        if (said := _words(row.get("overlap"))) != "":
            query.overlap = max(query.overlap or 0.0, _share(said, f"{path}, line {number}: overlap"))
    return list(queries.values())


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = [name.strip() for name in reader.fieldnames or []]
            if columns and not {"query", "source"} <= set(columns):
                raise UserError(f"{path}, line 1: columns `query` and `source` are needed; there are: {columns}")
            reader.fieldnames = columns
            for row in reader:
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it") from error
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.reader.line_num} is not CSV: {error}") from error


def _words(value: object) -> str:
    return "" if value is None else str(value).strip()


def _share(text: str, what: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UserError(f"{what} is {text}: it must be a number from 0 to 1, or nothing")
    return share


def highest_overlap(query: RealQuery, headings: Iterable[str]) -> float:
    """How much of its answers' last headings a query repeats, 0 to 1: what the file says, else counted here."""
    if query.overlap is not None:
        return query.overlap
    return max((overlap(query.query, heading) for heading in headings), default=0.0)
