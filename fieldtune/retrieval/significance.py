"""Cluster-robust standard errors, and the fewest clusters that can reach significance."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A mean with the interval that holds the truth with the chosen confidence.

    Rounded to six decimals, as in metrics.json: the verdict follows from what a person can read there.
    """

    mean: float
    low: float
    high: float
    known: bool = True  # False: too few clusters to tell, and `low` and `high` are the extremes that are possible

    def json(self) -> dict[str, float | None]:
        """The row of metrics.json; the ends of an unknown interval are null."""
        low, high = (self.low, self.high) if self.known else (None, None)
        return {"mean": self.mean, "low": low, "high": high}


def standard_error(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64]) -> float:
    """The standard error of the mean of `values` [n]; those of one of the `clusters` [n] depend on one another.

    Cluster-robust (Liang, Zeger 1986), with the correction for few clusters. With a single cluster, which shows no
    spread, each value counts by itself; infinite for a single value.
    """
    _, cluster_of = np.unique(clusters, return_inverse=True)
    if cluster_of.max() == 0:
        cluster_of = np.arange(len(values))
    number = int(cluster_of.max()) + 1
    if number < 2:
        return math.inf
    sums = np.bincount(cluster_of, weights=values - values.mean())
    return math.sqrt(float((sums**2).sum()) * number / (number - 1)) / len(values)


def fewest_clusters(confidence: float) -> int:
    """The fewest clusters that can be significant: as many as a two-sided sign test needs if all of them agree."""
    return 1 + math.ceil(-math.log2(1 - confidence))
