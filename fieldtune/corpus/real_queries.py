"""The real queries, as the stage `real` found them: what people typed, with the sections that answer it."""

from dataclasses import dataclass

from fieldtune.corpus import files
from fieldtune.runtime import paths

GROUPS = ("test", "dev", "train")  # the one use that a query has


@dataclass(frozen=True)
class RealQuery:
    """One distinct query with all its answers."""

    query: str
    group: str  # one of GROUPS
    sections: list[str]  # ids (`source#section`), at least one
    passages: list[str]  # of each section the passage that fits the query best
    overlap: float  # the share of its answers' headings that it repeats, the highest, 0 to 1


def read() -> list[RealQuery]:
    """All real queries with answers; their row is what `query_sets.real_id` names."""
    return [RealQuery(**row) for row in files.read_jsonl(paths.REAL)]
