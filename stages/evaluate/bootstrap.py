"""A paired bootstrap over clusters of queries: how far a mean, or the difference of two, may be from the truth.

Queries about one passage, or about copies of it, are not independent, so whole clusters are drawn (cluster bootstrap;
Cameron, Gelbach, Miller 2008). Every system is measured on the same draws, which makes differences paired.
"""

import math

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.significance import Interval, fewest_clusters

_CHUNK = 1 << 24  # cluster weights held at once

Draws = npt.NDArray[np.float64]


def means(values: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], draws: int, seed: int) -> Draws:
    """Means of `values` [systems, queries] over `draws` samples of the clusters: [systems, draws].

    `clusters` [queries] names each query's cluster. A sample draws as many clusters as there are, with replacement;
    its mean is over the queries in them.
    """
    _, cluster_of = np.unique(clusters, return_inverse=True)
    size = int(cluster_of.max()) + 1
    counts = np.bincount(cluster_of, minlength=size).astype(np.float64)
    sums = np.stack([np.bincount(cluster_of, weights=row, minlength=size) for row in values])
    random = np.random.default_rng(seed)
    sampled = []
    for start in range(0, draws, rows := max(1, _CHUNK // size)):
        weights = random.multinomial(size, np.full(size, 1 / size), size=min(rows, draws - start)).astype(np.float64)
        sampled.append((sums @ weights.T) / (counts @ weights.T))
    return np.concatenate(sampled, axis=1)


def interval(mean: float, sampled: Draws, confidence: float, clusters: int, possible: tuple[float, float]) -> Interval:
    """The expanded percentile interval around `mean`, from the draws [draws] over `clusters` clusters.

    Plain percentiles are too narrow, as a normal interval is where a t interval is due: the levels are moved out by as
    much (Hesterberg 2015, "What teachers should know about the bootstrap"). A test counts how often it holds. With few
    clusters the interval is too narrow, with one there is none: below `fewest_clusters` it is the range of `possible`.
    """
    if clusters < fewest_clusters(confidence):
        return Interval(round(mean, 6), *possible, known=False)
    tail = _tail(confidence, clusters)
    low, high = np.quantile(sampled, [tail, 1 - tail]).tolist()
    return Interval(round(mean, 6), round(low, 6), round(high, 6))


def _tail(confidence: float, clusters: int) -> float:
    """The share of the draws to leave out on either side."""
    from scipy.stats import norm, t

    return float(norm.cdf(math.sqrt(clusters / (clusters - 1)) * t.ppf((1 - confidence) / 2, clusters - 1)))
