"""The queries that tuning helped and hurt most, with the first results of both models."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.formatting import beginning
from fieldtune.retrieval.judged_queries import HARD, Judged
from fieldtune.retrieval.ranking import Rankings
from stages.evaluate.query_facts import REAL, QueryFacts

_FIRST = 3  # results shown per system
_LETTERS = 160  # of a passage's text that are shown


@dataclass(frozen=True)
class Result:
    """A section that a model ranks first: its place, the beginning of its text, and whether it answers the query."""

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
    base: list[Result]
    tuned: list[Result]

    @property
    def hard(self) -> bool:
        return self.overlap <= HARD


def beginnings(passages: Sequence[Mapping[str, Any]], corpus: Corpus) -> list[str]:
    """The beginning of each section's text."""
    begin = [""] * len(corpus.sections)
    for row, section in zip(passages, corpus.section_of.tolist(), strict=True):
        if not begin[section]:
            begin[section] = beginning(row["text"][: 2 * _LETTERS], _LETTERS)
    return begin


@dataclass(frozen=True)
class Results:
    """Rankings, and what a page shows of their sections."""

    base: Rankings
    tuned: Rankings
    sections: Sequence[str]  # their names
    beginnings: Sequence[str]

    def first(self, rankings: Rankings, row: int, relevant: AbstractSet[int]) -> list[Result]:
        """The first results for the query in that row."""
        ranked = rankings.sections[row, :_FIRST].tolist()
        return [Result(self.sections[n], self.beginnings[n], n in relevant) for n in ranked if n >= 0]


def strata(facts: QueryFacts, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """The rows by everything that a reader can filter by, so that each filter has examples."""
    rows_of: dict[tuple[str, bool, bool], list[int]] = {}
    for row in rows.tolist():
        real = facts.kinds[row] == REAL
        hard = bool(facts.overlaps[row] <= HARD)
        rows_of.setdefault((facts.kinds[row], bool(facts.seen[row]) and real, hard and real), []).append(row)
    return [np.array(rows_of[key], dtype=np.int64) for key in sorted(rows_of)]


def most_changed(
    judged: Judged,
    facts: QueryFacts,
    parts: Sequence[npt.NDArray[np.int64]],
    *,
    gains: npt.NDArray[np.float64],
    results: Results,
    count: int,
) -> tuple[list[Example], list[Example]]:
    """The `count` biggest wins and losses in each part of the rows, at most one per cluster, biggest first.

    `gains` [queries] is the tuned model's NDCG@10 less the base's.
    """

    def example(row: int) -> Example:
        relevant = judged.relevant[row]
        return Example(
            judged.texts[row],
            float(gains[row]),
            facts.kinds[row],
            bool(facts.seen[row]),
            float(facts.overlaps[row]),
            sorted(results.sections[section] for section in relevant),
            results.first(results.base, row, relevant),
            results.first(results.tuned, row, relevant),
        )

    wins, losses = (_biggest(judged, parts, sign * gains, count) for sign in (1.0, -1.0))
    return [example(row) for row in wins], [example(row) for row in losses]


def _biggest(
    judged: Judged, parts: Sequence[npt.NDArray[np.int64]], gains: npt.NDArray[np.float64], count: int
) -> list[int]:
    """The rows of the biggest gains above 0 in each part, at most one per cluster, biggest first."""

    def place(row: int) -> tuple[float, str]:
        return -float(gains[row]), judged.ids[row]

    chosen: list[int] = []
    for part in parts:
        by_cluster: dict[int, int] = {}
        for row in sorted(part.tolist(), key=place):
            if gains[row] <= 0 or len(by_cluster) == count:
                break
            by_cluster.setdefault(int(judged.clusters[row]), row)
        chosen += by_cluster.values()
    return sorted(chosen, key=place)
