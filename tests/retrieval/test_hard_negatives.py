"""Hard negatives: the window of ranks, the margin and the clusters, by hand and on random vectors."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fieldtune.retrieval.hard_negatives import HardNegatives, mine

ASKED = np.array([[1, 0]], dtype=np.float32)


def at(*cosines: float) -> npt.NDArray[np.float32]:
    """Passages of these cosines to ASKED."""
    return np.array([[c, math.sqrt(1 - c * c)] for c in cosines], dtype=np.float32)


def config(**changes: Any) -> HardNegatives:
    return HardNegatives(**{"count": 2, "first_rank": 2, "last_rank": 5, "margin": 0.95} | changes)


#          rank 3  1    2    4    5    6    7
COSINES = (0.7, 0.9, 0.8, 0.6, 0.5, 0.4, 0.3)


@pytest.mark.parametrize(
    ("changes", "cluster_of", "negatives"),
    [
        ({}, range(7), [2, 0]),  # the positive is passage 1, at rank 1
        ({"first_rank": 3}, range(7), [0, 3]),
        ({"margin": 0.8}, range(7), [0, 3]),  # .8 > .8 * .9
        ({"count": 4}, range(7), [2, 0, 3, 4]),
        ({}, (0, 1, 1, 3, 4, 5, 6), [0, 3]),  # passage 2 is a copy of the positive
    ],
)
def test_the_hardest_within_window_and_margin(changes: dict[str, Any], cluster_of: range, negatives: list[int]) -> None:
    assert mine(ASKED, [1], at(*COSINES), cluster_of, config(**changes), seed=0) == ([negatives], 0)


def test_random_ones_fill_up_within_the_margin() -> None:
    mined, random_ones = mine(ASKED, [1], at(*COSINES), range(7), config(count=4, last_rank=3, margin=0.8), seed=0)
    assert random_ones == 3
    assert mined[0][0] == 0
    assert set(mined[0][1:]) <= {3, 4, 5, 6}  # never the positive, passage 0 again, or 2 above the margin


def test_a_corpus_of_copies_leaves_rows_short() -> None:
    assert mine(ASKED, [1], at(*COSINES), [1] * 6 + [6], config(), seed=0) == ([[6]], 1)


def test_a_positive_that_scores_below_zero_has_a_margin_too() -> None:
    # .95 of -.1 is -.095, above the positive: the margin must lie below it, at -.105
    cosines = (-0.1, -0.098, -0.103, -0.2, -0.3)
    assert mine(ASKED, [0], at(*cosines), range(5), config(first_rank=1), seed=0) == ([[3, 4]], 0)


def test_the_rule_holds_on_random_vectors_and_repeats() -> None:
    numbers = np.random.default_rng(0)
    queries, passages = (numbers.normal(size=(n, 16)) for n in (60, 400))
    queries, passages = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, passages))
    unit_queries, table = queries.astype(np.float32), passages.astype(np.float32)
    plain = unit_queries @ table.T
    positives = [int(np.argsort(-row)[n % 12]) for n, row in enumerate(plain)]  # ranks 1 to 12
    cluster_of = [number // 2 for number in range(400)]
    settings = config(count=5, first_rank=4, last_rank=40)
    mined, random_ones = mine(unit_queries, positives, table, cluster_of, settings, seed=0)
    assert random_ones == 0
    for row, chosen in enumerate(mined):
        order = np.argsort(-plain[row]).tolist()
        allowed = [
            p
            for p in order[3:40]
            if plain[row, p] <= 0.95 * plain[row, positives[row]] and cluster_of[p] != cluster_of[positives[row]]
        ]
        assert chosen == allowed[:5]
    assert mine(unit_queries, positives, table, cluster_of, settings, seed=0) == (mined, random_ones)
