"""The cross-fitted gain, by numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest

from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.significance import Interval
from stages.evaluate.crossfit import crossfitted_gain
from tests.evaluate.made_up import config

GAINS = [0.1, 0.3, -0.2, 0.4, 0.6, 0.9]  # of r0 to r4, and of a generated query


def crossfitted(gains: list[float], clusters: list[int]) -> Interval:
    """Of five real queries; r0 and r3 are the first half, r1 and r2 the second. Training measured these `gains`."""
    ids = ["q000000", *(f"r{row:06d}" for row in range(5))]
    sets = {"synthetic": np.array([0]), "real": np.arange(1, 6)}
    judged = Judged(ids, ids, [{0: 1} for _ in ids], np.array([9, *clusters]), sets)
    sampled: list[Any] = ["r000003", "r000000", "r000001", "r000002"]
    evidence = {"query_id": sampled, "half": [1, 1, 2, 2], "gain": gains}
    return crossfitted_gain(evidence, judged, np.array([GAINS[5], *GAINS[:5]]), config())


@pytest.mark.parametrize(
    ("gains", "mean"),
    [
        ([0.2, -0.1, 0.1, 0.1], 0.24),  # both chose the tuned model: (.1 + .3 - .2 + .4 + .6) / 5
        ([0.2, -0.1, 0.1, -0.2], 0.14),  # the second chose the base, which counts for r0 and r3: (.3 - .2 + .6) / 5
        ([0.1, -0.1, 0.1, 0.1], 0.22),  # the first chose the base, since it gained nothing: (.1 + .4 + .6) / 5
        ([-0.1, -0.1, -0.1, -0.1], 0.12),  # both chose the base: r4 alone, which was not asked, counts
    ],
)
def test_each_half_counts_under_what_the_other_half_chose(gains: list[float], mean: float) -> None:
    assert crossfitted(gains, [0, 1, 2, 3, 4]).mean == pytest.approx(mean, abs=1e-9)


def test_the_interval_is_that_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not crossfitted([0.2, 0.1, 0.1, 0.1], [0, 1, 2, 3, 4]).known  # six clusters are the least
    monkeypatch.setattr("stages.evaluate.bootstrap.fewest_clusters", lambda confidence: 2)
    apart = crossfitted([0.2, 0.1, 0.1, 0.1], [0, 1, 2, 3, 4])
    assert apart.low < apart.mean == 0.24 < apart.high
    alike = crossfitted([0.2, 0.1, 0.1, -0.2], [0, 0, 0, 0, 4])  # 0, .3, -.2, 0 with a mean of .025, and .6
    assert (alike.low, alike.high) == (0.025, 0.6)
