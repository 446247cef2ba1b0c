"""The choice of what a run ends with, by scores that the test makes up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages.train.choice import choose, mixture, reason_to_keep_base, sure
from stages.train.dev import METRIC
from stages.train.trainer import Outcome
from tests.tiny_model import tiny_model


@pytest.mark.parametrize(
    ("best_score", "mixtures", "furthest", "share", "score"),
    [
        (0.6, [], 1.0, 1.0, 0.6),
        (0.6, [0.55, 0.7, 0.65], 1.0, 0.5, 0.7),
        (0.6, [0.6, 0.6, 0.6], 1.0, 0.25, 0.6),  # of equals the nearest to the base
        (0.6, [0.55], 0.5, 0.5, 0.55),  # no further than half of the way
        (0.6, [0.52, 0.55], 0.5, 0.5, 0.55),
        (0.6, [0.56, 0.55], 0.5, 0.25, 0.56),
    ],
)
def test_the_best_on_dev_is_the_candidate(
    best_score: float,
    mixtures: list[float],
    furthest: float,
    share: float,
    score: float,
    tmp_path: Path,
) -> None:
    base, model = (tiny_model(tmp_path / name) for name in ("base", "model"))
    starts = {name: value.clone() for name, value in base.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    scores = iter(mixtures)

    def evaluator(at: Any) -> dict[str, float]:
        return {METRIC: next(scores)}

    outcome = Outcome([(4, 0.1)], [(2, best_score), (4, 0.1)], best=2, steps=4)
    between = len(mixtures) - (furthest < 1)
    chosen = choose(model, base, evaluator, outcome, between, furthest)  # type: ignore[arg-type]
    assert chosen == (score, share)
    assert list(scores) == []
    for name, value in model.state_dict().items():
        moved = share if value.is_floating_point() else 0
        torch.testing.assert_close(value, starts[name] + moved, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("gains", "clusters", "certainty", "expected"),
    [
        # Each query a cluster: mean .1, standard error sqrt(4 × .1² × 4 / 3) / 4 = .0577; 1.64 of them are .095.
        ([0.0, 0.2, 0.0, 0.2], [0, 1, 2, 3], 0.9, True),
        ([0.0, 0.2, 0.0, 0.2], [0, 1, 2, 3], 0.975, False),  # 3.18 of them are .184
        # Two clusters: sqrt(2 × .2² × 2) / 4 = .1
        ([0.0, 0.2, 0.0, 0.2], [0, 1, 0, 1], 0.9, False),
        ([0.0, 0.2, 0.0, 0.2], [0, 1, 0, 1], 0.8, False),  # 1.38 of it: a table's t of one degree of freedom
        ([0.0, 0.2, 0.0, 0.2], [0, 1, 0, 1], 0.7, True),  # .73 of it
        ([0.1, -0.3], [0, 1], 0.5, False),
        ([0.1, -0.05], [0, 1], 0.5, True),
        ([0.3, 0.3], [0, 0], 0.9, False),  # one cluster tells nothing
        ([0.3], [0], 0.9, False),
        ([0.0, 0.0], [0, 1], 0.9, False),
    ],
)
def test_a_gain_counts_beyond_luck(gains: list[float], clusters: list[int], certainty: float, expected: bool) -> None:
    assert sure(np.array(gains), np.array(clusters), certainty) is expected


@pytest.mark.parametrize(
    ("gains", "kinds", "certainty", "expected"),
    [
        # Each query a cluster, as in all rows here. All gain: mean .1 ± .0033; the keywords too.
        ([0.11, 0.09, 0.1, 0.1], "qqkk", 0.9, None),
        (
            [-0.1, 0.12, 0.0, 0.0],
            "qqkk",
            0.9,
            "on dev the tuned model is ahead by +0.005, which with 4 queries may be luck",
        ),
        # Without the question's .3 it is 0.
        (
            [0.31, 0.29, 0.3, 0.3, 0.01, -0.01],
            "qqqqkk",
            0.9,
            "the gain on dev comes from one kind of query, q (+0.300): without that kind, "
            "it is +0.000, not 0.02 beyond luck",
        ),
        ([0.31, 0.29, 0.3, 0.3, 0.01, -0.01], "qqqqkk", 0.5, None),
        ([0.31, 0.29, 0.3, 0.3, 0.01, -0.01], "qqqqqq", 0.9, None),  # of one kind alone nothing can be told
        ([0.31, 0.29, 0.3, 0.3, 0.11, 0.09], "qqqqkk", 0.9, None),
        # Thirty others are enough to tell: .03 ± .019 may be .02; of 29 no more is asked than that they gain as much.
        (
            [0.31, 0.29, *[0.13, -0.07] * 15],
            "qq" + "k" * 30,
            0.9,
            "the gain on dev comes from one kind of query, q (+0.300): without that kind, "
            "it is +0.030, not 0.02 beyond luck",
        ),
        ([0.31, 0.29, 0.3, *[0.13, -0.07] * 14, 0.03], "qqq" + "k" * 29, 0.9, None),
    ],
)
def test_one_kind_of_query_does_not_carry_the_choice(
    gains: list[float], kinds: str, certainty: float, expected: str | None
) -> None:
    assert reason_to_keep_base(np.array(gains), np.arange(len(gains)), list(kinds), certainty, 0.02) == expected


@pytest.mark.parametrize("kind", ["real", "own"])
def test_queries_that_people_asked_may_carry_the_choice(kind: str) -> None:
    gains, clusters = np.array([0.31, 0.29, 0.3, 0.3, 0.01, -0.01]), np.arange(6)
    assert reason_to_keep_base(gains, clusters, [kind] * 4 + ["keyword"] * 2, 0.9, 0.02) is None
    assert reason_to_keep_base(gains, clusters, ["keyword"] * 4 + [kind] * 2, 0.9, 0.02) is not None


def test_a_mixture_lies_on_the_line_between_the_two() -> None:
    starts = {"weight": torch.tensor([0.0, 1.0]), "count": torch.tensor([3])}
    ends = {"weight": torch.tensor([1.0, 3.0]), "count": torch.tensor([3])}
    assert mixture(starts, ends, 0.25)["weight"].tolist() == [0.25, 1.5]
    assert mixture(starts, ends, 0.25)["count"].tolist() == [3]
    assert mixture(starts, ends, 0.0) is starts
    assert mixture(starts, ends, 1.0) is ends
