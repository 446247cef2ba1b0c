"""Errors of means over clusters: worked out by hand, and as the sandwich of a regression."""

import math

import numpy as np
import pytest

from fieldtune.retrieval.significance import Interval, fewest_clusters, standard_error


def test_queries_that_are_each_a_cluster_have_the_textbooks_error() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.3, 200)
    assert standard_error(values, np.arange(200)) == pytest.approx(values.std(ddof=1) / math.sqrt(200))


def test_two_clusters_by_hand() -> None:
    # The mean is .3; residuals sum to .4 + .2 = .6 in cluster 7, and to -.3 - .3 = -.6 in cluster 2.
    # sqrt((.6² + .6²) × 2 / (2 - 1)) / 4 = sqrt(1.44) / 4 = .3
    values = np.array([0.7, 0.0, 0.5, 0.0])
    assert standard_error(values, np.array([7, 2, 7, 2])) == pytest.approx(0.3)


def test_clusters_of_several_sizes_agree_with_the_sandwich() -> None:
    """The sandwich of a regression on a constant: (X'X)⁻¹ (Σ X'u u'X) (X'X)⁻¹, times m / (m - 1)."""
    numbers = np.random.default_rng(1)
    clusters = np.repeat(np.arange(30), numbers.integers(1, 6, 30))
    values = numbers.normal(0, 1, 30)[clusters] + numbers.normal(0, 0.2, len(clusters))
    constant = np.ones((len(values), 1))
    bread = np.linalg.inv(constant.T @ constant)
    residuals = values - values.mean()
    meat = np.zeros((1, 1))
    for cluster in range(30):
        part = constant[clusters == cluster].T @ residuals[clusters == cluster]
        meat += np.outer(part, part)
    expected = math.sqrt((bread @ meat @ bread)[0, 0] * 30 / 29)
    assert standard_error(values, clusters) == pytest.approx(expected)
    # Values that agree within their cluster tell less than as many that are independent.
    assert standard_error(values, clusters) > 1.3 * standard_error(values, np.arange(len(values)))


def test_a_copy_of_every_value_in_its_cluster_changes_nothing() -> None:
    values = np.random.default_rng(2).random(50)
    doubled = standard_error(np.repeat(values, 2), np.repeat(np.arange(50), 2))
    assert doubled == pytest.approx(standard_error(values, np.arange(50)))


def test_one_cluster_is_taken_value_by_value_and_a_single_value_tells_nothing() -> None:
    values = np.array([0.1, 0.5, 0.9])
    assert standard_error(values, np.zeros(3, dtype=np.int64)) == pytest.approx(0.4 / math.sqrt(3))
    assert standard_error(np.array([0.5]), np.array([4])) == math.inf


@pytest.mark.parametrize(("confidence", "fewest"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8), (0.999, 11)])
def test_the_fewest_clusters_are_those_of_a_sign_test(confidence: float, fewest: int) -> None:
    """As many heads in a row as there are clusters, either side: 2 × .5 ** clusters."""
    assert fewest_clusters(confidence) == fewest
    assert 2 * 0.5**fewest <= 1 - confidence + 1e-12 < 2 * 0.5 ** (fewest - 1)


def test_an_interval_that_is_not_known_has_no_ends_in_metrics_json() -> None:
    assert Interval(0.1, 0.05, 0.15).json() == {"mean": 0.1, "low": 0.05, "high": 0.15}
    assert Interval(0.1, -1.0, 1.0, known=False).json() == {"mean": 0.1, "low": None, "high": None}
