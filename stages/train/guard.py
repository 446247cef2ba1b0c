"""Real queries as a guard: where they are better off with the base model, the base model is kept.

Cross-fitting: each half of them chooses between base and tuned model for the queries of the other half, so that none
is tested with what it chose. The tuned model stays where both halves choose it. As the guard can but keep the base, it
makes no false gain more likely in the test.
"""

import random

import numpy as np
import numpy.typing as npt

from stages.query_sets import Judged

FEWEST = 30  # real queries; less tell nothing


def some(judged: Judged, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the real queries that guard, sorted: whole groups drawn at random, `most` queries or a little more.

    None where there are fewer than FEWEST, or where all are of one group.
    """
    rows = judged.rows(["real"])
    if len(rows) < FEWEST or len(set(judged.groups[rows].tolist())) < 2:
        return np.array([], dtype=np.int64)
    chosen: list[int] = []
    for group in _shuffled(judged.groups[rows], seed):
        if len(chosen) < most:
            chosen += rows[judged.groups[rows] == group].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def doubt(gains: npt.NDArray[np.float64], groups: npt.NDArray[np.int64], seed: int) -> str | None:
    """Why the base model is to be kept; None where both halves choose the tuned model.

    `gains` [queries], of real queries; those of one of the `groups` [queries] are in one half.
    """
    first = np.zeros(len(gains), dtype=bool)
    for group in _shuffled(groups, seed):
        if 2 * first.sum() < len(gains):
            first |= groups == group
    means = [float(gains[half].mean()) for half in (first, ~first) if half.any()]
    if min(means) > 0:
        return None
    return (
        f"by the tuned model the two halves of {len(gains):,} real queries gain "
        f"{' and '.join(f'{mean:+.3f}' for mean in means)}, and both must"
    )


def _shuffled(groups: npt.NDArray[np.int64], seed: int) -> list[int]:
    found = sorted(set(groups.tolist()))
    random.Random(seed).shuffle(found)
    return found
