"""The table that `fieldtune judge` writes, and the queries that are not in it yet."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fieldtune.commands.query_rows import has_answer, query_of
from fieldtune.corpus import tables
from fieldtune.judging.worth import ENOUGH
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError


def check_out(out: Path) -> None:
    """Raise UserError if the table is not named as JSONL."""
    if out.suffix.lower() in tables.SUFFIXES and out.suffix.lower() != ".jsonl":
        raise UserError(f"--out {out}: judgements are written as JSONL: give a name that ends in .jsonl")


def to_judge(table: Path | None) -> list[str]:
    """The distinct queries of the table, or of the search log of `queries:`; none if there is no log.

    Raises UserError for a table that is not found or has no rows.
    """
    if table is not None and not table.is_file():
        raise UserError(f"{table} not found")
    queries = queries_of(table or paths.REAL_LOG)
    if table is not None and not queries:
        raise UserError(f"{table} has no rows")
    return queries


def not_in(out: Path, queries: Iterable[str]) -> list[str]:
    """The queries that the table `out` does not have, in their order."""
    judged = set(queries_of(out))
    return [query for query in queries if query not in judged]


def queries_of(table: Path) -> list[str]:
    """The distinct queries of a table, in its order; none if the file does not exist."""
    queries: dict[str, None] = {}
    for where, row in tables.read(table) if table.is_file() else ():
        queries[query_of(where, row)] = None
    return list(queries)


def answered_in(table: Path) -> int:
    """The number of a table's queries that have an answer; none if the file does not exist."""
    return len(
        {query_of(where, row) for where, row in (tables.read(table) if table.is_file() else ()) if has_answer(row)}
    )


def typed_queries(out: Path) -> Path:
    """The file with the queries that were typed for `out`."""
    return out.with_name(f"{out.stem}.queries.jsonl")


def summary(counts: Counter[str], out: Path, now: Path) -> str:
    """The number of queries judged, and what to do next; `now` is the table that params.yaml names."""
    message = f"{counts['judged']:,} queries judged, {counts['answered']:,} of them with an answer"
    if counts["unanswered"]:
        message += f", {counts['unanswered']:,} that the documents do not answer"
    if left := len(not_in(out, queries_of(typed_queries(out)))):
        message += (
            f"\n{left:,} typed queries are not judged yet: {typed_queries(out)} keeps them for the next "
            "`fieldtune judge`"
        )
    if not out.is_file():
        return message
    number = answered_in(out)
    enough = f"{ENOUGH - number:,} more needed for" if number < ENOUGH else "enough for"
    lines = [message, f"{out} has {number:,} queries with answers: {enough} a verdict on what people type"]
    if now.resolve() == out.resolve():
        return "\n".join([*lines, "next: dvc repro"])
    lines.append(f"next: `queries: {out.as_posix()}` in params.yaml, then `dvc repro`")
    if now not in (paths.SAMPLE_REAL, paths.NONE):
        lines.append(f"this replaces {now}: to keep both, merge their rows into one table")
    return "\n".join(lines)
