"""The gains of models tuned on a part of the training passages, and rules that tell if more queries would help.

The answer is that of the first of `_RULES` that applies. `last` is the gain of the last doubling: NDCG@10 of the tuned
model, trained on all training passages, less that of the model trained on half of them, on the same queries.

Its interval is about the draw of the queries. It does not include the effect of another training seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.retrieval.formatting import difference
from fieldtune.retrieval.metrics import Values
from fieldtune.retrieval.significance import Interval, fewest_clusters
from stages.evaluate import bootstrap
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import enough

_HALF = 0.5
_UNKNOWN = "Cannot tell whether more queries would help"


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
    """The curve, and the answer that follows from it."""

    n: int  # queries
    base: float  # NDCG@10
    points: list[ScoredPoint]  # by share
    last: Interval | None  # the gain of the last doubling; None: there is no half
    answer: str  # yes | no | cannot_tell
    message: str

    def json(self) -> dict[str, Any]:
        """The block of metrics.json."""
        return {
            "n": self.n,
            "base": self.base,
            "points": [point.json() for point in self.points],
            "last_doubling": None if self.last is None else self.last.json(),
            "answer": self.answer,
            "said": self.message,
        }


@dataclass(frozen=True)
class _Case:
    """The facts that the rules read."""

    half: ScoredPoint
    whole: ScoredPoint
    last: Interval
    n: int  # queries
    clusters: int  # of queries
    unchanged: bool  # the tuned model's vectors are the base's
    config: EvaluateConfig

    @property
    def brought(self) -> str:
        return (
            f"the last doubling, from {self.half.passages:,} to {self.whole.passages:,} training passages, brought "
            f"{difference(self.last, self.config.confidence)}"
        )


def data_curve(
    points: Sequence[CurvePoint], base: Values, clusters: npt.NDArray[np.int64], unchanged: bool, config: EvaluateConfig
) -> DataCurve:
    """The curve of models by share, the last one of all passages. `base` [queries] is the base model's NDCG@10.

    `clusters` [queries]: those of one cluster are not independent. `unchanged`: the tuned model's vectors are the
    base's.
    """
    number = len(np.unique(clusters))
    table = np.stack([base, *(point.values for point in points)])
    drawn = bootstrap.means(table, clusters, config.draws, config.seed)
    means = table.mean(axis=1).round(6).tolist()

    def lead(one: int, other: int) -> Interval:
        sampled = drawn[one] - drawn[other]
        return bootstrap.interval(means[one] - means[other], sampled, config.confidence, number, (-1.0, 1.0))

    scored = [
        ScoredPoint(**vars(point), ndcg=means[row], gain=lead(row, 0)) for row, point in enumerate(points, start=1)
    ]
    half = next((row for row, point in enumerate(points, start=1) if point.share == _HALF), None)
    if half is None:
        message = f"{_UNKNOWN}: {scored[-1].passages:,} training passages are too few to halve."
        return DataCurve(len(base), means[0], scored, None, "cannot_tell", message)
    last = lead(len(points), half)
    case = _Case(scored[half - 1], scored[-1], last, len(base), number, unchanged, config)
    answer, why = next((answer, why) for answer, rule in _RULES if (why := rule(case)) is not None)
    return DataCurve(len(base), means[0], scored, last, answer, why)


def _unchanged(case: _Case) -> str | None:
    """The tuned model's vectors are the base's."""
    return f"{_UNKNOWN}: all of them together left the base model unchanged." if case.unchanged else None


def _too_few_clusters(case: _Case) -> str | None:
    """There are fewer clusters of queries than can be significant."""
    least = fewest_clusters(case.config.confidence)
    if case.clusters >= least:
        return None
    return (
        f"{_UNKNOWN}: the {case.n:,} test queries are about {case.clusters} groups of passages, and at least {least} "
        "are needed."
    )


def _half_kept_the_base(case: _Case) -> str | None:
    """Half of the passages left the base unchanged."""
    if not case.half.base_kept:
        return None
    return f"{_UNKNOWN}: half of the training passages left the base model unchanged."


def _harm(case: _Case) -> str | None:
    """The whole interval of `last` is below 0, and so below `negligible`."""
    if case.last.high >= 0:
        return None
    return f"More queries of this kind would make the model worse: {case.brought}. Look at the data."


def _negligible(case: _Case) -> str | None:
    """The whole interval of `last` is below `negligible`."""
    limit = case.config.negligible
    if case.last.high >= limit:
        return None
    return f"More queries of this kind would hardly help: {case.brought}, entirely below {limit:.2f}."


def _helps(case: _Case) -> str | None:
    """The whole interval of `last` is above 0."""
    if case.last.low <= 0:
        return None
    return f"More queries would help: {case.brought}; twice as many may bring up to as much again."


def _unknown(case: _Case) -> str:
    """The interval of `last` contains both."""
    text = f"{_UNKNOWN} with {case.n:,} test queries: {case.brought}."
    if not case.config.negligible:
        return text
    # An interval as wide as `negligible` cannot contain both it and 0.
    needed = enough(case.n, (case.last.high - case.last.low) / case.config.negligible)
    return f"{text} About {needed:,} queries like these would be enough."


_RULES: tuple[tuple[str, Callable[[_Case], str | None]], ...] = (
    ("cannot_tell", _unchanged),
    ("cannot_tell", _too_few_clusters),
    ("cannot_tell", _half_kept_the_base),
    ("no", _harm),
    ("no", _negligible),
    ("yes", _helps),
    ("cannot_tell", _unknown),
)
