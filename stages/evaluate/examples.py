"""The queries that tuning helped and hurt most, with what either model finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.judged_queries import HARD, Judged
from fieldtune.retrieval.ranking import Rankings
from stages.evaluate.asked import REAL, Asked

_FIRST = 3  # results shown of each system
_LETTERS = 160  # shown of a passage's text


@dataclass(frozen=True)
class Found:
    """A result: its place in the documents, how its text begins, and whether it answers the query."""

    section: str  # `source#section`
    text: str
    right: bool


@dataclass(frozen=True)
class Example:
    """One query before and after tuning."""

    query: str
    gain: float  # in NDCG@10
    kind: str
    seen: bool  # its answer was trained on
    overlap: float  # with its answer's heading
    answers: list[str]
    base: list[Found]
    tuned: list[Found]

    @property
    def hard(self) -> bool:
        return self.overlap <= HARD


def beginnings(passages: Sequence[Mapping[str, Any]], corpus: Corpus) -> list[str]:
    """How the text of each section begins."""
    begin = [""] * len(corpus.sections)
    for row, section in zip(passages, corpus.section_of.tolist(), strict=True):
        if not begin[section]:
            text = " ".join(row["text"][: 2 * _LETTERS].split())
            begin[section] = text if len(text) <= _LETTERS else text[:_LETTERS].rsplit(" ", 1)[0] + " …"
    return begin


def strata(asked: Asked, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """The rows by all that a reader can choose by, so that each choice has examples."""
    of: dict[tuple[str, bool, bool], list[int]] = {}
    for row in rows.tolist():
        real = asked.kinds[row] == REAL
        hard = bool(asked.overlaps[row] <= HARD)
        of.setdefault((asked.kinds[row], bool(asked.seen[row]) and real, hard and real), []).append(row)
    return [np.array(of[key], dtype=np.int64) for key in sorted(of)]


def most_changed(
    judged: Judged,
    asked: Asked,
    parts: Sequence[npt.NDArray[np.int64]],
    *,
    gains: npt.NDArray[np.float64],
    base: Rankings,
    tuned: Rankings,
    sections: Sequence[str],
    texts: Sequence[str],
    count: int,
) -> tuple[list[Example], list[Example]]:
    """The `count` biggest wins and losses of each part of the rows, at most one of each group, biggest first.

    `gains` [queries] is the tuned model's NDCG@10 less the base's; `sections` names the sections of the rankings,
    `texts` are their beginnings.
    """

    def top(sign: float) -> list[Example]:
        chosen = sorted((row for part in parts for row in of_part(part, sign)), key=lambda row: place(row, sign))
        return [example(row) for row in chosen]

    def place(row: int, sign: float) -> tuple[float, str]:
        return -sign * float(gains[row]), judged.ids[row]

    def of_part(rows: npt.NDArray[np.int64], sign: float) -> list[int]:
        groups: set[int] = set()
        chosen: list[int] = []
        for row in sorted(rows.tolist(), key=lambda row: place(row, sign)):
            group = int(judged.clusters[row])
            if sign * gains[row] <= 0 or len(chosen) == count:
                break
            if group not in groups:
                groups.add(group)
                chosen.append(row)
        return chosen

    def example(row: int) -> Example:
        relevant = judged.relevant[row]

        def first(rankings: Rankings) -> list[Found]:
            found = rankings.sections[row, :_FIRST].tolist()
            return [Found(sections[one], texts[one], one in relevant) for one in found if one >= 0]

        return Example(
            judged.texts[row],
            float(gains[row]),
            asked.kinds[row],
            bool(asked.seen[row]),
            float(asked.overlaps[row]),
            sorted(sections[section] for section in relevant),
            first(base),
            first(tuned),
        )

    return top(1.0), top(-1.0)
