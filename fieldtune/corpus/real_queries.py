"""The real queries, as the stage `real` found them: what people typed, with the sections that answer it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fieldtune.corpus import files
from fieldtune.runtime import paths

SPLITS = ("test", "dev", "train", "style")  # the one use that a query has; style: it shows how people type


@dataclass(frozen=True)
class RealQuery:
    """One distinct query with all its answers."""

    query: str
    split: str  # one of SPLITS; the column `group` of the file
    sections: list[str]  # ids (`source#section`), at least one
    passages: list[str]  # of each section the passage that fits the query best
    overlap: float  # the share of its answers' headings that it repeats, the highest, 0 to 1

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RealQuery":
        return cls(split=row["group"], **{name: value for name, value in row.items() if name != "group"})

    def row(self) -> dict[str, Any]:
        """The row of queries.jsonl, where `split` is the column `group`."""
        return {"group" if name == "split" else name: value for name, value in asdict(self).items()}


def read() -> list[RealQuery]:
    """All real queries with answers; their row is what `judged_queries.real_id` names."""
    return [RealQuery.from_row(row) for row in files.read_jsonl(paths.REAL)]
