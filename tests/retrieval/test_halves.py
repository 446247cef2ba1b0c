"""Halves of queries: whole clusters, of like size, drawn by the seed."""

import numpy as np
import pytest

from fieldtune.retrieval.halves import second_half


def test_halves_are_of_like_size_and_clusters_stay_whole() -> None:
    clusters = np.array([0] * 12 + [1] * 3 + [2] * 4 + [3] * 5)
    for seed in range(5):
        second = second_half(clusters, seed)
        assert second is not None
        assert second.tolist() == [False] * 12 + [True] * 12  # 12 and 3 + 4 + 5


def test_halves_are_those_of_the_seed() -> None:
    clusters = np.random.default_rng(0).permutation(np.arange(120) // 3)
    drawn = {}
    for seed in (0, 1):
        second, again = second_half(clusters, seed), second_half(clusters, seed)
        assert second is not None
        assert again is not None
        assert second.tolist() == again.tolist()
        assert np.count_nonzero(second) == 60
        assert set(clusters[second].tolist()).isdisjoint(clusters[~second].tolist())
        drawn[seed] = second.tolist()
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(("sizes", "enough"), [((38, 2), False), ((31, 9), False), ((30, 10), True), ((), False)])
def test_a_half_has_ten_queries_or_there_are_no_halves(sizes: tuple[int, ...], enough: bool) -> None:
    clusters = np.repeat(np.arange(len(sizes)), np.array(sizes, dtype=np.int64))
    assert (second_half(clusters, 0) is not None) == enough
