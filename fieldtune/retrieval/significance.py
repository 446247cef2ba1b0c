"""Errors of means over queries that are not independent, and how many groups of them can tell anything."""

import math

import numpy as np
import numpy.typing as npt


def standard_error(values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> float:
    """The standard error of the mean of `values` [n], those of one of the `groups` [n] depending on one another.

    The cluster-robust one (Liang, Zeger 1986), with the correction for few groups. Of one group, which tells no
    spread, each value is taken for itself; infinite for a single value.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    if group_of.max() == 0:
        group_of = np.arange(len(values))
    number = int(group_of.max()) + 1
    if number < 2:
        return math.inf
    sums = np.bincount(group_of, weights=values - values.mean())
    return math.sqrt(float((sums**2).sum()) * number / (number - 1)) / len(values)


def fewest_clusters(confidence: float) -> int:
    """How many groups it takes to be so sure of anything: as many as a two-sided sign test, if all of them agree."""
    return 1 + math.ceil(-math.log2(1 - confidence))
