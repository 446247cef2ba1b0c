"""The scores of one query set, from the values of each query: its block of metrics.json."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.metrics import Values, means
from fieldtune.retrieval.significance import Interval
from fieldtune.retrieval.systems import RIVAL, UNTUNED
from stages.evaluate import bootstrap
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.randomisation import p_values

METRICS = ("ndcg@10", "mrr@10")  # those with an interval


@dataclass(frozen=True)
class SetScores:
    """One query set: each system's mean metrics, and the bootstrap's intervals of NDCG@10 and MRR@10.

    Systems are SYSTEMS and the rivals that rank any of its queries.
    """

    n: int  # queries
    clusters: int  # of queries that are not independent of one another; `groups` in metrics.json
    means: dict[str, dict[str, float]]  # system → metric
    intervals: dict[str, dict[str, Interval]]  # system → metric
    # Of UNTUNED and the rivals → metric: how likely luck alone makes the tuned model differ as much
    p: dict[str, dict[str, float]]
    _draws: dict[str, dict[str, bootstrap.Draws]]  # system → metric
    _confidence: float

    def lead(self, system: str, other: str, metric: str = "ndcg@10", confidence: float | None = None) -> Interval:
        """The mean score of `system` less that of `other`; `confidence`: another one than the settings'."""
        mean = self.intervals[system][metric].mean - self.intervals[other][metric].mean
        sampled = self._draws[system][metric] - self._draws[other][metric]
        return bootstrap.interval(mean, sampled, confidence or self._confidence, self.clusters, (-1.0, 1.0))

    @property
    def detectable(self) -> float:
        """The smallest gain over the base, in NDCG@10, that these queries can tell from luck: half the interval."""
        gain = self.lead("tuned", "base")
        return round((gain.high - gain.low) / 2, 6)

    def needed(self, gain: float) -> int:
        """About how many queries like these are needed to tell so small a gain from luck."""
        return enough(self.n, self.detectable / gain)

    @property
    def rivals(self) -> list[str]:
        """The systems that are rivals."""
        return [system for system in self.means if system.startswith(RIVAL)]

    def beyond_luck(self, systems: Sequence[str], other: str) -> dict[str, Interval]:
        """The systems that differ from `other` in NDCG@10 beyond luck, each with its lead: Holm's step-down method.

        Each interval has the level of its step (Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure").
        """
        left, apart = list(systems), dict[str, Interval]()
        while left:
            level = 1 - (1 - self._confidence) / len(left)
            leads = {system: self.lead(system, other, confidence=level) for system in left}
            new = {system: lead for system, lead in leads.items() if lead.known and not lead.low <= 0 <= lead.high}
            if not new:
                break
            apart |= new
            left = [system for system in left if system not in new]
        return apart

    def json(self) -> dict[str, Any]:
        """The block of metrics.json."""
        gain = {
            f"vs_{other}": {
                metric: {**self.lead("tuned", other, metric).json(), "p": self.p[other][metric]} for metric in METRICS
            }
            for other in self.p
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


def holm(p: Sequence[float]) -> list[float]:
    """Each p of several comparisons, corrected for their number (Holm 1979)."""
    corrected, least = list(p), 0.0
    for place, row in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        corrected[row] = least = max(least, min(1.0, (len(p) - place) * p[row]))
    return corrected


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
    rivals = [system for system in values if system.startswith(RIVAL)]
    pairs = [(other, metric) for other in (*UNTUNED, *rivals) for metric in METRICS]
    differences = np.stack([values["tuned"][metric][rows] - values[other][metric][rows] for other, metric in pairs])
    p: dict[str, dict[str, float]] = {other: {} for other in (*UNTUNED, *rivals)}
    by_luck = p_values(differences, clusters[rows], config.draws, config.seed)
    for (other, metric), value in zip(pairs, by_luck.tolist(), strict=True):
        p[other][metric] = round(value, 6)
    for metric in METRICS:
        corrected = holm([p[rival][metric] for rival in rivals])
        for rival, value in zip(rivals, corrected, strict=True):
            p[rival][metric] = round(value, 6)
    return SetScores(
        n=len(rows),
        clusters=number,
        means={system: means(metrics, rows) for system, metrics in values.items()},
        intervals=intervals,
        p=p,
        _draws=sampled,
        _confidence=config.confidence,
    )
