"""The paired cluster bootstrap: cases that can be counted by hand, and normal theory."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from fieldtune.retrieval.significance import Interval, fewest_clusters
from stages.evaluate import bootstrap
from stages.evaluate.bootstrap import interval, means

DIFFERENCES = (-1.0, 1.0)


def test_equal_groups_leave_no_doubt() -> None:
    values = np.array([[0.2, 0.4] * 10])  # ten groups, each of mean .3
    drawn = means(values, np.repeat(np.arange(10), 2), draws=200, seed=0)
    assert drawn.shape == (1, 200)
    assert interval(0.3, drawn[0], 0.95, 10, DIFFERENCES) == Interval(0.3, 0.3, 0.3)


def test_two_groups_enumerated() -> None:
    # group 7 has two queries that score 1, group 3 one that scores 0: both twice, or one of each
    drawn = means(np.array([[1.0, 0.0, 1.0]]), np.array([7, 3, 7]), draws=20_000, seed=0)[0]
    distinct, count = np.unique(drawn.round(9), return_counts=True)
    assert distinct.tolist() == pytest.approx([0, 2 / 3, 1])
    assert (count / 20_000).tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.015)  # four standard errors


def test_systems_share_their_draws() -> None:
    numbers = np.random.default_rng(0)
    one = numbers.random(200)
    drawn = means(np.stack([one, one + 0.1]), np.arange(200), draws=500, seed=0)
    np.testing.assert_allclose(drawn[1] - drawn[0], 0.1, atol=1e-12)
    assert drawn[0].std() > 0.01


def test_independent_queries_agree_with_normal_theory() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.3, 1000)
    ends = interval(0.0, means(values[None], np.arange(1000), 10_000, seed=0)[0], 0.95, 1000, DIFFERENCES)
    assert (ends.high - ends.low) / 2 == pytest.approx(1.96 * values.std() / math.sqrt(1000), rel=0.03)


def test_queries_that_agree_within_their_group_count_as_one() -> None:
    values = np.repeat(np.random.default_rng(0).random(100), 9)[None]
    widths = []
    for groups in (np.repeat(np.arange(100), 9), np.arange(900)):
        drawn = means(values, groups, draws=5000, seed=0)[0]
        ends = interval(0.5, drawn, 0.95, 100, DIFFERENCES)
        widths.append(ends.high - ends.low)
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.05)  # the root of 9


def test_a_seed_names_the_draws_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values, groups = np.random.default_rng(0).random((2, 30)), np.arange(30) // 2
    drawn = means(values, groups, draws=100, seed=5)
    assert not np.array_equal(drawn, means(values, groups, draws=100, seed=6))
    monkeypatch.setattr(bootstrap, "_CHUNK", 15 * 7)  # seven draws at once
    np.testing.assert_array_equal(drawn, means(values, groups, draws=100, seed=5))


def test_the_interval_is_of_percentiles_to_six_decimals() -> None:
    drawn = np.arange(1001) / 3000
    # t of 99 degrees is 1.9842 at .025, times the root of 100/99 1.9942: the normal's tail there is .023064
    assert interval(1 / 6, drawn, 0.95, 100, DIFFERENCES) == Interval(0.166667, 0.007688, 0.325645)
    assert interval(1 / 6, drawn, 0.5, 100, DIFFERENCES).json() == {"mean": 0.166667, "low": 0.08271, "high": 0.250623}
    # of a million groups the plain percentiles
    assert interval(1 / 6, drawn, 0.95, 10**6, DIFFERENCES) == Interval(0.166667, 0.008333, 0.325)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [60, 150])
def test_the_interval_covers_the_truth_as_often_as_it_says(groups: int) -> None:
    """1,000 experiments: groups of 1, 2, … queries, most of which tuning leaves alone; those of a group go together."""

    def experiment(count: int, numbers: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        sizes = 1 + numbers.poisson(1.0, count)
        group = np.repeat(np.arange(count), sizes)
        changed = numbers.random(len(group)) < 0.4
        own = np.where(changed, numbers.normal(0, 0.35, len(group)), 0)
        return np.clip(numbers.normal(0.08, 0.15, count)[group] + own, -1, 1), group

    truth = experiment(1_000_000, np.random.default_rng(1))[0].mean()
    numbers = np.random.default_rng(0)
    covered = 0
    for seed in range(1000):
        values, group = experiment(groups, numbers)
        ends = interval(values.mean(), means(values[None], group, 1000, seed)[0], 0.95, groups, DIFFERENCES)
        covered += ends.low <= truth <= ends.high
    assert 930 <= covered <= 970


@pytest.mark.parametrize(("confidence", "least"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8)])
def test_too_few_clusters_prove_nothing(confidence: float, least: int) -> None:
    assert fewest_clusters(confidence) == least  # as tests/retrieval/test_significance.py has it
    drawn = np.full(100, 0.3)
    assert interval(0.3, drawn, confidence, least, DIFFERENCES) == Interval(0.3, 0.3, 0.3)
    assert interval(0.3, drawn, confidence, least - 1, DIFFERENCES) == Interval(0.3, -1.0, 1.0, known=False)
