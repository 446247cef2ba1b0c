"""Queries in two halves of whole clusters, so that what one half chooses is scored on the other."""

import random

import numpy as np
import numpy.typing as npt

DECIDING = 100  # real test queries; fewer choose neither a model nor a share
_FEWEST_IN_HALF = 10


def shuffled(clusters: npt.NDArray[np.int64], seed: int) -> list[int]:
    """The distinct clusters in an order that the seed draws."""
    distinct = sorted(set(clusters.tolist()))
    random.Random(seed).shuffle(distinct)
    return distinct


def second_half(clusters: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_] | None:
    """Mark the queries of the second half, of about the size of the first; `clusters` [queries] stay whole.

    None if the clusters are too few or too large for two halves.
    """
    distinct, cluster_of, counts = np.unique(clusters, return_inverse=True, return_counts=True)
    size_of = dict(zip(distinct.tolist(), counts.tolist(), strict=True))
    side: dict[int, int] = {}
    sizes = [0, 0]
    for cluster in sorted(shuffled(clusters, seed), key=lambda cluster: -size_of[cluster]):
        side[cluster] = int(sizes[1] < sizes[0])
        sizes[side[cluster]] += size_of[cluster]
    if min(sizes) < _FEWEST_IN_HALF:
        return None
    return np.array([side[cluster] for cluster in distinct.tolist()], dtype=bool)[cluster_of]
