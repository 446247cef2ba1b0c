"""The real queries as stage `real` matched them: what people typed, with the sections that answer it; and what a row
of their table says of the answer.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.tables import cell
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

SPLITS = ("test", "dev", "train", "style")  # the one use that a query has; style: shows how people type
ANSWER = 1  # the least grade of a section that answers
PARTLY = 0.5  # the grade of a section that answers partly: half the gain of one that answers
_GRADES = {"": ANSWER, "2": ANSWER, "1": PARTLY, "0": 0}  # by the column `relevance`
_ANSWERED = {"": True, "true": True, "false": False}


@dataclass(frozen=True)
class RealQuery:
    """One distinct query with all its answers."""

    query: str
    split: str  # one of SPLITS; the column `group` of the file
    sections: list[str]  # ids (`source#section`), at least one
    passages: list[str]  # the passage of each section that fits the query best
    overlap: float  # the highest share of an answer's heading that the query repeats, 0 to 1
    # Section → its grade: 1 answers, more (the score of BEIR qrels) answers better, less answers partly and is not in
    # `sections`. Empty if all have the grade 1.
    grades: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "RealQuery":
        return cls(split=row["group"], **{name: value for name, value in row.items() if name != "group"})

    def row(self) -> dict[str, Any]:
        """The row of queries.jsonl, where `split` is the column `group`; no `grades` if there are none."""
        row = {"group" if name == "split" else name: value for name, value in asdict(self).items()}
        if not self.grades:
            del row["grades"]
        return row

    @property
    def graded(self) -> dict[str, float]:
        """The grades of all sections, first those that answer."""
        return dict.fromkeys(self.sections, 1) | self.grades


def read() -> list[RealQuery]:
    """All real queries with answers; `judged_queries.real_id` names them by row."""
    return [RealQuery.from_row(row) for row in files.read_jsonl(paths.REAL)]


def grade_of(where: str, row: Mapping[str, Any]) -> float:
    """The grade of a row's place by its `relevance`: 1 for 2 (answers) or nothing, 0.5 for 1 (partly), 0 for 0 (not).

    A row of BEIR qrels has its `beir_score` as grade. Raises UserError that names the row for any other relevance.
    """
    if "beir_score" in row:
        return int(row["beir_score"])
    relevance = cell(row, "relevance").removesuffix(".0")  # of a spreadsheet
    if relevance not in _GRADES:
        raise UserError(
            f"{where}: relevance is {relevance}: it must be 2 (answers the query), 1 (partly), 0 (does not), or empty"
        )
    return _GRADES[relevance]


def is_answered(where: str, row: Mapping[str, Any]) -> bool:
    """False if a row says `answered: false`: someone looked, and these documents do not answer its query.

    Raises UserError that names the row for anything but true, false and nothing.
    """
    answered = cell(row, "answered")
    if answered.casefold() not in _ANSWERED:
        raise UserError(f"{where}: answered is {answered}: it must be true or false, or empty")
    return _ANSWERED[answered.casefold()]
