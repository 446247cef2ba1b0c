"""The real queries as stage `real` matched them: what people typed, with the sections that answer it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fieldtune.corpus import files
from fieldtune.runtime import paths

SPLITS = ("test", "dev", "train", "style")  # the one use that a query has; style: shows how people type


@dataclass(frozen=True)
class RealQuery:
    """One distinct query with all its answers."""

    query: str
    split: str  # one of SPLITS; the column `group` of the file
    sections: list[str]  # ids (`source#section`), at least one
    passages: list[str]  # the passage of each section that fits the query best
    overlap: float  # the highest share of an answer's heading that the query repeats, 0 to 1
    judged: list[str] = field(default_factory=list)  # sections that a person judged; empty: unknown
    # Section → its grade: 1 answers, more (the score of BEIR qrels) answers better, less answers partly and is not in
    # `sections`. Empty if all have the grade 1.
    grades: dict[str, float] = field(default_factory=dict)
    own: str = ""  # the section that is the query itself, as its id says; empty: none

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RealQuery":
        return cls(split=row["group"], **{name: value for name, value in row.items() if name != "group"})

    def row(self) -> dict[str, Any]:
        """The row of queries.jsonl, where `split` is the column `group`; no `grades`, `judged` or `own` if empty."""
        optional = {"grades", "judged", "own"}
        values = {name: value for name, value in asdict(self).items() if value or name not in optional}
        return {"group" if name == "split" else name: value for name, value in values.items()}

    @property
    def graded(self) -> dict[str, float]:
        """The grades of all sections, first those that answer."""
        return dict.fromkeys(self.sections, 1) | self.grades


def read() -> list[RealQuery]:
    """All real queries with answers; `judged_queries.real_id` names them by row."""
    return [RealQuery.from_row(row) for row in files.read_jsonl(paths.REAL)]
