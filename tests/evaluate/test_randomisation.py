"""The randomisation test: counted by hand, against scipy's exact test, and as often wrong as it says."""

import numpy as np
import numpy.typing as npt
import pytest

from stages.evaluate import randomisation
from stages.evaluate.randomisation import p_values


def test_three_groups_counted() -> None:
    # Sums of the groups: 3, 1, .5. Of the eight ways to turn them two reach 4.5: the observed one and its opposite.
    differences = np.array([[1.0, 2.0, 1.0, 0.5]])
    assert p_values(differences, np.array([4, 4, 2, 9]), 20_000, seed=0) == pytest.approx(0.25, abs=0.013)


def test_no_difference_is_surely_luck() -> None:
    assert p_values(np.zeros((2, 10)), np.arange(10), 100, seed=0).tolist() == [1.0, 1.0]


def test_a_difference_that_never_fails_is_as_unlikely_as_the_draws_can_tell() -> None:
    assert p_values(np.full((1, 60), 0.1), np.arange(60), 999, seed=0).tolist() == [0.001]


def _sum(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    total: npt.NDArray[np.float64] = np.sum(x - y, axis=axis)
    return total


def test_agrees_with_a_permutation_test_of_scipy() -> None:
    from scipy.stats import permutation_test

    rows = np.random.default_rng(0).normal(0.15, 1.0, (3, 12))
    ours = p_values(rows, np.arange(12), 50_000, seed=0)
    for row, p in zip(rows, ours, strict=True):
        exact = permutation_test((row, np.zeros(12)), _sum, permutation_type="samples", n_resamples=np.inf).pvalue
        assert p == pytest.approx(exact, abs=0.01)


def test_queries_of_a_group_count_as_one() -> None:
    differences = np.repeat(np.random.default_rng(1).normal(0.3, 1.0, 20), 10)[None]
    clustered = p_values(differences, np.repeat(np.arange(20), 10), 2000, seed=0)[0]
    apart = p_values(differences, np.arange(200), 2000, seed=0)[0]
    assert clustered > 10 * apart


def test_equal_systems_are_told_apart_as_often_as_chance_has_it() -> None:
    numbers = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 2)
    rows = numbers.normal(0, 1, (400, 40))[:, groups] + numbers.normal(0, 0.3, (400, 80))
    assert 0.02 <= (p_values(rows, groups, 1000, seed=0) <= 0.05).mean() <= 0.08


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(0.1, 1.0, (2, 30))
    whole = p_values(rows, np.arange(30), 500, seed=3)
    monkeypatch.setattr(randomisation, "_CHUNK", 30 * 7)
    np.testing.assert_array_equal(p_values(rows, np.arange(30), 500, seed=3), whole)
