"""The user's real queries: what people typed, with the sections that answer it."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

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
    queries: dict[str, RealQuery] = {}
    for number, row in _rows(path):
        text = str(row.get("query") or "").strip()
        source = str(row.get("source") or "").strip()
        if not text or not source:
            raise UserError(f"{path}, line {number}: `query` and `source` are needed")
        query = queries.setdefault(text, RealQuery(text))
        query.answers.append((source, str(row.get("section") or "").strip()))
        if row.get("overlap") not in (None, ""):
            query.overlap = max(query.overlap or 0.0, float(str(row["overlap"])))
    return list(queries.values())


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    if not path.is_file():
        raise UserError(f"queries: {path} is not there; set `queries:` in params.yaml (none: data/none.jsonl)")
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() == ".csv":
            for row in (reader := csv.DictReader(file)):
                yield reader.line_num, dict(row)
            return
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                parsed = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{path}, line {number} is not JSON: {error.msg}") from error
            if not isinstance(parsed, dict):
                raise UserError(f"{path}, line {number} must be an object with `query` and `source`")
            yield number, parsed


def highest_overlap(query: RealQuery, headings: Iterable[str]) -> float:
    """How much of its answers' last headings a query repeats, 0 to 1: what the file says, else counted here."""
    if query.overlap is not None:
        return query.overlap
    return max((overlap(query.query, heading) for heading in headings), default=0.0)
