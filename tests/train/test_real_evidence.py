"""The choice by real queries: which of them are asked, their halves, and what they decide."""

import numpy as np
import pytest

from fieldtune.retrieval.judged_queries import Judged
from stages.train.real_evidence import Decision, RealEvidence, decide, sample_real_queries

SURE = Decision(False, "dev")
DOUBTS = Decision(True, "dev", "on dev it may be luck")


def judged(real: int, clusters: list[int]) -> Judged:
    ids = [f"r{row:06d}" for row in range(real)] + ["q000000"]
    rows = {"real": np.arange(real), "synthetic": np.array([real])}
    return Judged(ids, ids, [{0: 1} for _ in ids], np.array([*clusters, 99]), rows)


def halves(first: list[float], second: list[float], clusters: list[int] | None = None) -> RealEvidence:
    """The gains of either half; each query is a cluster if none are given."""
    number = len(first) + len(second)
    return RealEvidence(
        ids=[f"r{row:06d}" for row in range(number)],
        clusters=np.array(clusters or range(number)),
        second=np.arange(number) >= len(first),
        gains=np.array([*first, *second]),
    )


def test_fewer_than_thirty_are_not_asked() -> None:
    assert sample_real_queries(judged(29, list(range(29))), 200, 0).tolist() == []
    assert sample_real_queries(judged(30, list(range(30))), 200, 0).tolist() == list(range(30))
    assert sample_real_queries(judged(40, [3] * 40), 200, 0).tolist() == []  # one cluster has no halves
    assert sample_real_queries(judged(30, list(range(30))), 0, 0).tolist() == []


def test_of_many_whole_clusters_are_drawn() -> None:
    clusters = np.arange(100) // 4
    many = judged(100, clusters.tolist())
    rows = sample_real_queries(many, 50, 7)
    assert rows.tolist() == sorted(rows.tolist()) == sample_real_queries(many, 50, 7).tolist()
    assert len(rows) == 52  # 13 clusters of four
    assert set(np.unique(clusters[rows], return_counts=True)[1].tolist()) == {4}
    assert rows.tolist() != sample_real_queries(many, 50, 8).tolist()


@pytest.mark.parametrize("dev", [SURE, DOUBTS, Decision(True, "dev")])
def test_both_halves_of_a_hundred_decide_whatever_dev_says(dev: Decision) -> None:
    gain, loss = [0.3, -0.1] * 25, [0.1, -0.3] * 25  # means of .1 and -.1
    assert decide(dev, halves(gain, gain), 0.95) == Decision(False, "real")
    assert decide(dev, halves(loss, [-0.2] * 50), 0.95) == Decision(
        True, "real", "with the tuned model neither half of 100 real queries is better (-0.100 and -0.200)"
    )
    assert decide(dev, halves([0.0] * 50, [0.0] * 50), 0.95).keeps_base  # what is no better is not exported
    # One half for each: dev decides, by however much the other is ahead.
    assert decide(dev, halves([0.5] * 50, loss), 0.95) == dev
    assert decide(dev, halves([-0.5] * 50, gain), 0.95) == dev
    assert decide(dev, halves([0.5] * 50, [0.0] * 50), 0.95) == dev
    assert decide(dev, None, 0.95) == dev


@pytest.mark.parametrize(
    ("mean", "certainty", "beyond_luck"),
    [
        # A hundred gains of mean ± .1, each a cluster: the standard error is .1 × sqrt(100 / 99) / 10 = .01005, and
        # 1.645 of them are .01653, 2.326 of them .02338.
        (0.0170, 0.95, True),
        (0.0160, 0.95, False),
        (0.0240, 0.99, True),
        (0.0230, 0.99, False),
        (0.0001, 0.5, True),
    ],
)
def test_a_gain_of_both_halves_decides_only_beyond_luck(mean: float, certainty: float, beyond_luck: bool) -> None:
    evidence = halves([mean + 0.1, mean - 0.1] * 25, [mean + 0.1, mean - 0.1] * 25)
    assert decide(DOUBTS, evidence, certainty) == (Decision(False, "real") if beyond_luck else DOUBTS)
    assert decide(SURE, evidence, certainty) == (Decision(False, "real") if beyond_luck else SURE)


@pytest.mark.parametrize(("mean", "beyond_luck"), [(0.0215, True), (0.0213, False)])
def test_luck_is_that_of_clusters(mean: float, beyond_luck: bool) -> None:
    """60 clusters of two that go together: the standard error is sqrt(60 × .2² × 60 / 59) / 120 = .013019."""
    half = [mean + 0.1, mean + 0.1, mean - 0.1, mean - 0.1] * 15
    evidence = halves(half, half, np.repeat(np.arange(60), 2).tolist())
    assert decide(DOUBTS, evidence, 0.95).by == ("real" if beyond_luck else "dev")  # 1.64485 of it are .021414


@pytest.mark.parametrize(
    ("first", "second", "passes"),
    [
        ([0.1] * 20, [0.3] * 10, True),
        ([-0.1] * 20, [-0.3] * 10, False),
        ([0.0] * 20, [0.0] * 10, False),  # neither gains
        ([0.0] * 20, [0.1] * 10, True),
        ([0.3] * 89, [-0.1] * 10, False),  # 99 are too few to leave it to dev
        # -.1 ± .1 of ten is no more than luck allows, -.12 is.
        ([0.3] * 20, [0.2, -0.4] * 5, True),  # standard error .3 × sqrt(10 / 9) / sqrt(10) = .1
        ([0.3] * 20, [0.18, -0.42] * 5, False),
    ],
)
def test_fewer_than_a_hundred_can_keep_the_base_and_nothing_else(
    first: list[float], second: list[float], passes: bool
) -> None:
    evidence = halves(first, second)
    assert decide(DOUBTS, evidence, 0.95) == DOUBTS
    number, means = len(first) + len(second), f"{np.mean(first):+.3f}, the other by {np.mean(second):+.3f}"
    reason = f"with the tuned model one half of {number} real queries is better by {means}"
    assert decide(SURE, evidence, 0.95) == (SURE if passes else Decision(True, "real", reason))


def test_from_a_hundred_on_they_are_enough() -> None:
    assert decide(DOUBTS, halves([0.3] * 50, [0.2, 0.3] * 25), 0.95).by == "real"
    assert decide(DOUBTS, halves([0.3] * 50, [0.2, 0.3] * 24 + [0.3]), 0.95) == DOUBTS  # 99
