"""A randomisation test over clusters of queries: could a difference between two systems be luck?

If the systems were equal, each cluster of queries might as well have had its results swapped (Fisher 1935; Smucker,
Allan, Carterette 2007 for retrieval). Whole clusters are swapped, since queries of one cluster are not independent.
"""

import numpy as np
import numpy.typing as npt

_CHUNK = 1 << 24  # signs held at once
_EQUAL = 1e-9  # sums that differ by less count as equal


def p_values(
    differences: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], draws: int, seed: int
) -> npt.NDArray[np.float64]:
    """Two-sided p of each row of `differences` [rows, queries] between two systems, under a mean of 0: [rows].

    `clusters` [queries] names each query's cluster; `draws` ways of swapping them are tried, and the observed one
    counts as one more, so that no p is 0 (Phipson, Smyth 2010).
    """
    _, cluster_of = np.unique(clusters, return_inverse=True)
    size = int(cluster_of.max()) + 1
    sums = np.stack([np.bincount(cluster_of, weights=row, minlength=size) for row in differences])
    observed = np.abs(sums.sum(axis=1)) - _EQUAL
    random = np.random.default_rng(seed)
    as_far = np.ones(len(sums))
    for start in range(0, draws, rows := max(1, _CHUNK // size)):
        signs = 2.0 * random.integers(0, 2, size=(min(rows, draws - start), size)) - 1.0
        as_far += (np.abs(sums @ signs.T) >= observed[:, None]).sum(axis=1)
    return as_far / (1 + draws)
