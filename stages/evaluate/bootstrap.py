"""How far a mean, or the difference of two, may be from the truth: a paired bootstrap over groups of queries.

Queries about one passage, or about copies of it, are not independent, so whole groups are drawn (cluster bootstrap;
Cameron, Gelbach, Miller 2008). Every system is measured on the same draws, which makes differences paired.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.significance import fewest_clusters

_CHUNK = 1 << 24  # group weights held at once

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with the interval that holds the truth with the chosen confidence.

    To six decimals, as metrics.json has them: the verdict follows from what a person can read there.
    """

    mean: float
    low: float
    high: float
    told: bool = True  # False: of too few groups to tell, `low` and `high` are all that is possible

    def json(self) -> dict[str, float | None]:
        """The row of metrics.json; null are the ends of what cannot be told."""
        low, high = (self.low, self.high) if self.told else (None, None)
        return {"mean": self.mean, "low": low, "high": high}


def means(values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], draws: int, seed: int) -> Draws:
    """Means of `values` [systems, queries] over `draws` samples of the groups: [systems, draws].

    `groups` [queries] names each query's group. A sample draws as many groups as there are, with replacement; its mean
    is over the queries in them.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    size = int(group_of.max()) + 1
    counts = np.bincount(group_of, minlength=size).astype(np.float64)
    sums = np.stack([np.bincount(group_of, weights=row, minlength=size) for row in values])
    random = np.random.default_rng(seed)
    sampled = []
    for start in range(0, draws, rows := max(1, _CHUNK // size)):
        weights = random.multinomial(size, np.full(size, 1 / size), size=min(rows, draws - start)).astype(np.float64)
        sampled.append((sums @ weights.T) / (counts @ weights.T))
    return np.concatenate(sampled, axis=1)


def interval(mean: float, sampled: Draws, confidence: float, groups: int, possible: tuple[float, float]) -> Interval:
    """The expanded percentile interval around `mean`, from its draws [draws] of so many groups.

    Plain percentiles are too narrow, as a normal interval is where a t interval is due: the levels are moved out by as
    much (Hesterberg 2015, "What teachers should know about the bootstrap"). A test counts how often it holds. Too few
    groups draw too narrow an interval, one group none at all: below `fewest_clusters` it is all that is `possible`.
    """
    if groups < fewest_clusters(confidence):
        return Interval(round(mean, 6), *possible, told=False)
    tail = _tail(confidence, groups)
    low, high = np.quantile(sampled, [tail, 1 - tail]).tolist()
    return Interval(round(mean, 6), round(low, 6), round(high, 6))


def _tail(confidence: float, groups: int) -> float:
    """The share of the draws to leave out on either side."""
    from scipy.stats import norm, t

    return float(norm.cdf(math.sqrt(groups / (groups - 1)) * t.ppf((1 - confidence) / 2, groups - 1)))
