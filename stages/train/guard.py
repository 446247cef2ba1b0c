"""Real queries as a guard: if they are better off with the base model, the base model is kept.

By cross-fitting: each half of them votes for the other half, and the base is kept if a half loses beyond its
standard error, or if neither gains. So the guard can only keep the base, and makes no false gain more likely in the
test; if it lets the tuned model pass, the gain of the queries that guarded reads a little high.
"""

import random

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.significance import standard_error

_FEWEST = 30  # real queries; less tell nothing
_FEWEST_IN_HALF = 10


def sample_guard_queries(judged: Judged, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the real queries that guard, sorted: whole clusters drawn at random, `most` queries or a little more.

    Empty if there are fewer than 30, or if all are of one cluster.
    """
    rows = judged.rows(["real"])
    if len(rows) < _FEWEST or len(set(judged.clusters[rows].tolist())) < 2:
        return np.array([], dtype=np.int64)
    chosen: list[int] = []
    for cluster in _shuffled(judged.clusters[rows], seed):
        if len(chosen) < most:
            chosen += rows[judged.clusters[rows] == cluster].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def objection(gains: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], seed: int) -> str | None:
    """The guard's reason to keep the base model; None without one, or if clusters are too large for two halves.

    `gains` [queries], of real queries; those of one of the `clusters` [queries] are in one half.
    """
    side: dict[int, int] = {}
    sizes = [0, 0]
    for cluster in sorted(_shuffled(clusters, seed), key=lambda cluster: -np.count_nonzero(clusters == cluster)):
        side[cluster] = int(sizes[1] < sizes[0])
        sizes[side[cluster]] += int(np.count_nonzero(clusters == cluster))
    if min(sizes) < _FEWEST_IN_HALF:
        return None
    second = np.array([side[cluster] for cluster in clusters.tolist()], dtype=bool)
    halves = [(gains[half], clusters[half]) for half in (~second, second)]
    means = [float(half_gains.mean()) for half_gains, _ in halves]
    loses = any(mean < -standard_error(*half) for mean, half in zip(means, halves, strict=True))
    if not loses and max(means) > 0:
        return None
    return (
        f"with the tuned model one half of {len(gains):,} real queries is better by {means[0]:+.3f}, the other by "
        f"{means[1]:+.3f}"
    )


def _shuffled(clusters: npt.NDArray[np.int64], seed: int) -> list[int]:
    distinct = sorted(set(clusters.tolist()))
    random.Random(seed).shuffle(distinct)
    return distinct
