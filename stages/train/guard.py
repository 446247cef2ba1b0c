"""Real queries as a guard: where they are better off with the base model, the base model is kept.

By cross-fitting: each half of them votes for the other half, and the base is kept where a half loses beyond its
standard error, or where neither gains. So the guard can but keep the base, and makes no false gain more likely in the
test; where it lets the tuned model pass, the gain of the queries that guarded reads a little high.
"""

import random

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.significance import standard_error

_FEWEST = 30  # real queries; less tell nothing
_FEWEST_IN_HALF = 10


def sample_guard_queries(judged: Judged, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the real queries that guard, sorted: whole groups drawn at random, `most` queries or a little more.

    Empty where there are fewer than 30, or where all are of one group.
    """
    rows = judged.rows(["real"])
    if len(rows) < _FEWEST or len(set(judged.clusters[rows].tolist())) < 2:
        return np.array([], dtype=np.int64)
    chosen: list[int] = []
    for group in _shuffled(judged.clusters[rows], seed):
        if len(chosen) < most:
            chosen += rows[judged.clusters[rows] == group].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def objection(gains: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], seed: int) -> str | None:
    """The guard's reason to keep the base model; None without one, or if groups are too large for two halves.

    `gains` [queries], of real queries; those of one of the `groups` [queries] are in one half.
    """
    side: dict[int, int] = {}
    sizes = [0, 0]
    for group in sorted(_shuffled(groups, seed), key=lambda group: -np.count_nonzero(groups == group)):
        side[group] = int(sizes[1] < sizes[0])
        sizes[side[group]] += int(np.count_nonzero(groups == group))
    if min(sizes) < _FEWEST_IN_HALF:
        return None
    second = np.array([side[group] for group in groups.tolist()], dtype=bool)
    halves = [(gains[half], groups[half]) for half in (~second, second)]
    means = [float(of.mean()) for of, _ in halves]
    loses = any(mean < -standard_error(*half) for mean, half in zip(means, halves, strict=True))
    if not loses and max(means) > 0:
        return None
    return (
        f"with the tuned model one half of {len(gains):,} real queries is better by {means[0]:+.3f}, the other by "
        f"{means[1]:+.3f}"
    )


def _shuffled(groups: npt.NDArray[np.int64], seed: int) -> list[int]:
    found = sorted(set(groups.tolist()))
    random.Random(seed).shuffle(found)
    return found
