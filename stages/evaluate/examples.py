"""The queries that tuning helped and hurt most, with what either model finds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.query_sets import Judged
from stages.ranking import Rankings

_FIRST = 3  # results shown of each system


@dataclass(frozen=True)
class Found:
    """A result: its place in the documents, and whether it answers the query."""

    section: str  # `source#section`
    right: bool


@dataclass(frozen=True)
class Example:
    """One query before and after tuning."""

    query: str
    gain: float  # in NDCG@10
    answers: list[str]
    base: list[Found]
    tuned: list[Found]


def most_changed(
    judged: Judged,
    rows: npt.NDArray[np.int64],
    gains: npt.NDArray[np.float64],
    base: Rankings,
    tuned: Rankings,
    sections: Sequence[str],
    count: int,
) -> tuple[list[Example], list[Example]]:
    """The `count` biggest wins and losses among `rows`, at most one of each group of queries.

    `gains` [queries] is the tuned model's NDCG@10 less the base's; `sections` names the sections of the rankings.
    """

    def top(sign: float) -> list[Example]:
        groups: set[int] = set()
        chosen: list[Example] = []
        for row in sorted(rows.tolist(), key=lambda row: (-sign * gains[row], judged.ids[row])):
            group = int(judged.groups[row])
            if sign * gains[row] <= 0 or len(chosen) == count:
                break
            if group not in groups:
                groups.add(group)
                chosen.append(example(row))
        return chosen

    def example(row: int) -> Example:
        relevant = judged.relevant[row]
        return Example(
            judged.texts[row],
            float(gains[row]),
            sorted(sections[section] for section in relevant),
            _first(base, row, relevant, sections),
            _first(tuned, row, relevant, sections),
        )

    return top(1.0), top(-1.0)


def _first(rankings: Rankings, row: int, relevant: set[int], sections: Sequence[str]) -> list[Found]:
    found = rankings.sections[row, :_FIRST].tolist()
    return [Found(sections[section], section in relevant) for section in found if section >= 0]
