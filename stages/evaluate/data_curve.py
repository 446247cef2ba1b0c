"""Would more queries help? What models of a part of the training passages gain, and a rule that answers.

The answer is the first row that fits. `last` is what the last doubling brought: NDCG@10 of the tuned model, which all
training passages taught, less that of the model of half of them, on the same queries.

| case | answer |
|---|---|
| too few training passages: there is no half | cannot_tell |
| the tuned model's vectors are the base's, or half of the passages left the base as it was | cannot_tell |
| fewer groups of queries than `fewest_clusters` | cannot_tell |
| the whole interval of `last` is below `negligible` | no |
| the whole interval of `last` is above 0 | yes |
| all others | cannot_tell |

The interval is of the queries that are asked. What another seed of the training would change is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.retrieval.metrics import Values
from fieldtune.retrieval.significance import fewest_clusters
from stages.evaluate import bootstrap
from stages.evaluate.bootstrap import Interval
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import enough
from stages.evaluate.verdict import said

_HALF = 0.5


@dataclass(frozen=True)
class ScoredPoint(CurvePoint):
    """A point with its model's mean score."""

    ndcg: float
    gain: Interval  # over the base

    def json(self) -> dict[str, Any]:
        """The row of metrics.json."""
        return {**self.facts(), "gain": self.gain.json(), "ndcg@10": self.ndcg}


@dataclass(frozen=True)
class DataCurve:
    """The curve, and what follows from it."""

    n: int  # queries
    base: float  # NDCG@10
    points: list[ScoredPoint]  # by share
    last: Interval | None  # what the last doubling brought; None: there is no half
    answer: str  # yes | no | cannot_tell
    said: str

    def json(self) -> dict[str, Any]:
        """The block of metrics.json."""
        return {
            "n": self.n,
            "base": self.base,
            "points": [point.json() for point in self.points],
            "last_doubling": None if self.last is None else self.last.json(),
            "answer": self.answer,
            "said": self.said,
        }


def data_curve(
    trained: Sequence[CurvePoint], base: Values, groups: npt.NDArray[np.int64], unchanged: bool, config: EvaluateConfig
) -> DataCurve:
    """The curve of models by share, the last one of all passages. `base` [queries] is the base model's NDCG@10.

    `groups` [queries]: those of one group are not independent. `unchanged`: the tuned model's vectors are the base's.
    """
    number = len(np.unique(groups))
    table = np.stack([base, *(of.values for of in trained)])
    drawn = bootstrap.means(table, groups, config.draws, config.seed)
    means = table.mean(axis=1).round(6).tolist()

    def lead(one: int, other: int) -> Interval:
        difference = drawn[one] - drawn[other]
        return bootstrap.interval(means[one] - means[other], difference, config.confidence, number, (-1.0, 1.0))

    points = [ScoredPoint(**vars(of), ndcg=means[row], gain=lead(row, 0)) for row, of in enumerate(trained, start=1)]
    halves = [row for row, of in enumerate(trained, start=1) if of.share == _HALF]
    last = lead(len(trained), halves[0]) if halves else None
    answer, why = _answer(points, last, len(base), number, unchanged, config)
    return DataCurve(len(base), means[0], points, last, answer, why)


def _answer(
    points: Sequence[ScoredPoint], last: Interval | None, n: int, groups: int, unchanged: bool, config: EvaluateConfig
) -> tuple[str, str]:
    """The table's first row that fits, and the sentence that says it."""
    whole = points[-1]
    unknown = "Whether more queries would help cannot be told"
    if last is None:
        return "cannot_tell", f"{unknown}: {whole.passages:,} training passages are too few to take half of them."
    if unchanged:
        return "cannot_tell", f"{unknown}: all of those that there are left the base model as it was."
    if groups < (least := fewest_clusters(config.confidence)):
        return "cannot_tell", (
            f"{unknown}: the {n:,} test queries are about {groups} groups of passages, and {least} are the least that "
            "can tell."
        )
    half = next(point for point in points if point.share == _HALF)
    if half.base_kept:
        return "cannot_tell", f"{unknown}: half of the training passages left the base model as it was."
    brought = (
        f"the last doubling, from {half.passages:,} to {whole.passages:,} training passages, brought "
        f"{said(last, config.confidence)}"
    )
    if last.high < config.negligible:
        if last.high < 0:
            return "no", f"More queries of this kind would make it worse: {brought}. Look at the data."
        below = f"all of it below {config.negligible:.2f}"
        return "no", f"More queries of this kind would hardly help: {brought}, {below}."
    if last.low > 0:
        return "yes", f"More queries would help: {brought}; twice as many may bring up to as much again."
    text = f"{unknown} with {n:,} test queries: {brought}."
    if config.negligible:
        # An interval as wide as `negligible` cannot hold both it and 0.
        needed = enough(n, (last.high - last.low) / config.negligible)
        text += f" It takes about {needed:,} queries like these."
    return "cannot_tell", text
