"""The scores of one query set, from the values of each query: its block of metrics.json."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.metrics import Values, means
from fieldtune.retrieval.significance import Interval
from fieldtune.retrieval.systems import UNTUNED
from stages.evaluate import bootstrap
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.randomisation import p_values

METRICS = ("ndcg@10", "mrr@10")  # those with an interval


@dataclass(frozen=True)
class SetScores:
    """One query set: each system's mean metrics, and the bootstrap's intervals of NDCG@10 and MRR@10.

    Systems are SYSTEMS and the models of `evaluate.compare`.
    """

    n: int  # queries
    clusters: int  # of queries that are not independent of one another; `groups` in metrics.json
    means: dict[str, dict[str, float]]  # system → metric
    intervals: dict[str, dict[str, Interval]]  # system → metric
    p: dict[str, dict[str, float]]  # of UNTUNED → metric: how likely luck alone makes the tuned model differ as much
    _draws: dict[str, dict[str, bootstrap.Draws]]  # system → metric
    _confidence: float

    def lead(self, system: str, other: str, metric: str = "ndcg@10") -> Interval:
        """The mean score of `system` less that of `other`."""
        mean = self.intervals[system][metric].mean - self.intervals[other][metric].mean
        sampled = self._draws[system][metric] - self._draws[other][metric]
        return bootstrap.interval(mean, sampled, self._confidence, self.clusters, (-1.0, 1.0))

    @property
    def detectable(self) -> float:
        """The smallest gain over the base, in NDCG@10, that these queries can tell from luck: half the interval."""
        gain = self.lead("tuned", "base")
        return round((gain.high - gain.low) / 2, 6)

    def needed(self, gain: float) -> int:
        """About how many queries like these are needed to tell so small a gain from luck."""
        return enough(self.n, self.detectable / gain)

    def json(self) -> dict[str, Any]:
        """The block of metrics.json."""
        gain = {
            f"vs_{other}": {
                metric: {**self.lead("tuned", other, metric).json(), "p": self.p[other][metric]} for metric in METRICS
            }
            for other in UNTUNED
        }
        intervals = {
            system: {metric: interval.json() for metric, interval in of_system.items()}
            for system, of_system in self.intervals.items()
        }
        return {
            **self.means,
            "gain": gain,
            "intervals": intervals,
            "detectable": self.detectable,
            "n": self.n,
            "groups": self.clusters,
        }


def enough(n: int, narrower: float) -> int:
    """About how many queries, if `n` of the kind exist, make an interval `times` narrower; to two digits.

    An interval narrows with the root of the number of queries.
    """
    queries = n * narrower**2
    digits = max(0, math.floor(math.log10(max(queries, 1))) - 1)
    return int(math.ceil(queries / 10**digits) * 10**digits)


def score(
    values: Mapping[str, dict[str, Values]],
    rows: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    config: EvaluateConfig,
) -> SetScores:
    """Score the queries in `rows`. `values` holds system → metric → [queries], `clusters` [queries] their clusters."""
    number = len(np.unique(clusters[rows]))
    intervals: dict[str, dict[str, Interval]] = {system: {} for system in values}
    sampled: dict[str, dict[str, bootstrap.Draws]] = {system: {} for system in values}
    names = [(system, metric) for system in values for metric in METRICS]
    table = np.stack([values[system][metric][rows] for system, metric in names])
    drawn = bootstrap.means(table, clusters[rows], config.draws, config.seed)
    for (system, metric), row, mean in zip(names, drawn, table.mean(axis=1).tolist(), strict=True):
        sampled[system][metric] = row
        intervals[system][metric] = bootstrap.interval(mean, row, config.confidence, number, (0.0, 1.0))
    pairs = [(other, metric) for other in UNTUNED for metric in METRICS]
    differences = np.stack([values["tuned"][metric][rows] - values[other][metric][rows] for other, metric in pairs])
    p: dict[str, dict[str, float]] = {other: {} for other in UNTUNED}
    by_luck = p_values(differences, clusters[rows], config.draws, config.seed)
    for (other, metric), value in zip(pairs, by_luck.tolist(), strict=True):
        p[other][metric] = round(value, 6)
    return SetScores(
        n=len(rows),
        clusters=number,
        means={system: means(metrics, rows) for system, metrics in values.items()},
        intervals=intervals,
        p=p,
        _draws=sampled,
        _confidence=config.confidence,
    )
