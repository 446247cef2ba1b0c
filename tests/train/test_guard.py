"""The real queries that guard, and their objections."""

import numpy as np
import pytest

from fieldtune.retrieval.judged_queries import Judged
from stages.train import guard


def judged(real: int, clusters: list[int]) -> Judged:
    ids = [f"r{row:06d}" for row in range(real)] + ["q000000"]
    rows = {"real": np.arange(real), "synthetic": np.array([real])}
    return Judged(ids, ids, [{0} for _ in ids], np.array([*clusters, 99]), rows)


def test_fewer_than_thirty_do_not_guard() -> None:
    assert guard.sample_guard_queries(judged(29, list(range(29))), 200, 0).tolist() == []
    assert guard.sample_guard_queries(judged(30, list(range(30))), 200, 0).tolist() == list(range(30))
    assert guard.sample_guard_queries(judged(40, [3] * 40), 200, 0).tolist() == []  # one cluster has no halves
    assert guard.sample_guard_queries(judged(30, list(range(30))), 0, 0).tolist() == []


def test_of_many_whole_clusters_are_drawn() -> None:
    clusters = [row // 4 for row in range(100)]
    rows = guard.sample_guard_queries(judged(100, clusters), 50, 7)
    assert rows.tolist() == sorted(rows.tolist()) == guard.sample_guard_queries(judged(100, clusters), 50, 7).tolist()
    assert len(rows) == 52  # 13 clusters of four
    assert {clusters[row] for row in rows} == {
        clusters[row] for row in range(100) if clusters[row] in {clusters[r] for r in rows}
    }
    assert all(
        np.count_nonzero(np.array(clusters)[rows] == cluster) == 4 for cluster in {clusters[row] for row in rows}
    )
    assert rows.tolist() != guard.sample_guard_queries(judged(100, clusters), 50, 8).tolist()


def halves(first: list[float], second: list[float]) -> str | None:
    """Two clusters of ten or more, each of which is a half."""
    return guard.objection(np.array(first + second), np.array([1] * len(first) + [2] * len(second)), 0)


@pytest.mark.parametrize(
    ("first", "second", "passes"),
    [
        ([0.1] * 12, [0.3] * 10, True),
        ([-0.1] * 12, [-0.3] * 10, False),
        ([0.0] * 12, [0.0] * 10, False),  # neither gains
        ([0.0] * 12, [0.1] * 10, True),
        # A cluster tells no spread, so each query is one: -.1 ± .1 of ten is no more than luck allows, -.12 is.
        ([0.3] * 12, [0.2, -0.4] * 5, True),  # standard error .3 × sqrt(10 / 9) / sqrt(10) = .1
        ([0.3] * 12, [0.18, -0.42] * 5, False),
    ],
)
def test_a_half_that_loses_beyond_luck_or_two_that_do_not_gain_keep_the_base(
    first: list[float], second: list[float], passes: bool
) -> None:
    objection = halves(first, second)
    assert (objection is None) == passes
    if objection:
        means = f"{np.mean(first):+.3f}, the other by {np.mean(second):+.3f}"
        assert objection == f"with the tuned model one half of 22 real queries is better by {means}"


def test_halves_are_of_like_size_and_clusters_stay_whole() -> None:
    clusters = np.array([0] * 12 + [1] * 3 + [2] * 4 + [3] * 5)
    gains = np.where(clusters == 0, -1.0, 1.0)
    for seed in range(5):
        reason = guard.objection(gains, clusters, seed)
        assert reason is not None
        assert reason.endswith("is better by -1.000, the other by +1.000")  # 12 and 3 + 4 + 5


def test_where_a_half_would_be_too_small_nothing_is_said() -> None:
    assert guard.objection(np.full(40, -1.0), np.array([0] * 38 + [1] * 2), 0) is None
    assert guard.objection(np.full(40, -1.0), np.array([0] * 30 + [1] * 10), 0) is not None
