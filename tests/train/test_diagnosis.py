"""Each warning, and its absence, on curves and vectors made by hand."""

import re

import numpy as np
import numpy.typing as npt
import pytest

from stages.train.diagnosis import alikeness, warnings
from stages.train.trainer import Outcome

Vectors = npt.NDArray[np.float32]
AXES: Vectors = np.eye(4, dtype=np.float32)
OTHER_AXES: Vectors = np.roll(AXES, 1, axis=0)


def outcome(losses: list[float], scores: list[float]) -> Outcome:
    return Outcome(list(enumerate(losses, 1)), list(enumerate(scores, 1)), best=1, steps=len(losses))


def turned(cosine: float) -> Vectors:
    """AXES, each turned towards the next: `cosine` is left of the old direction."""
    vectors: Vectors = (cosine * AXES + np.sqrt(1 - cosine**2) * OTHER_AXES).astype(np.float32)
    return vectors


def around(first: float) -> Vectors:
    """Four unit vectors, all with `first` in one direction and the rest in one of their own: cosine `first`²."""
    return np.hstack([np.full((4, 1), first), np.sqrt(1 - first**2) * np.eye(4)]).astype(np.float32)


@pytest.mark.parametrize(
    ("losses", "scores", "after", "patterns"),
    [
        ([1.0, 0.5], [0.6], OTHER_AXES, []),
        ([1.0, 0.5], [0.7, 0.4], OTHER_AXES, []),  # one above the base is enough
        ([1.0], [0.6], OTHER_AXES, []),
        # The loss fell to under .9 of the first, or did not.
        (
            [1.0, 0.89],
            [0.5, 0.4],
            OTHER_AXES,
            [r"the loss fell \(1\.000 → 0\.890\) but dev did not rise .*0\.500 → 0\.500"],
        ),
        (
            [1.0, 0.91],
            [0.4],
            OTHER_AXES,
            [r"no checkpoint beats the base model on dev \(NDCG@10 0\.500, best 0\.400\)"],
        ),
        ([1.0], [0.4], OTHER_AXES, ["no checkpoint beats the base model"]),
        ([float("nan"), float("nan")], [0.6], OTHER_AXES, ["the loss is not a number"]),
        ([1.0, float("inf"), 0.5], [0.6], OTHER_AXES, ["the loss is not a number"]),
        # The vectors stand where they stood.
        ([1.0, 0.5], [0.6], turned(0.9995), [r"nearly the base model's \(mean cosine 0\.9995\)"]),
        ([1.0, 0.5], [0.6], turned(0.9985), []),
        ([1.0, 0.99], [0.5], AXES, [r"nearly the base model's \(mean cosine 1\.0000\): .*train\.learning_rate"]),
        ([1.0, 0.5], [0.5], AXES, ["nearly the base model's", "the loss fell"]),
    ],
)
def test_a_warning_is_said_where_it_is_due(
    losses: list[float], scores: list[float], after: Vectors, patterns: list[str]
) -> None:
    lines = warnings(outcome(losses, scores), 0.5, AXES, after)
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert "\n" not in line
        assert re.search(pattern, line), line


@pytest.mark.parametrize("losses", [[1.0, 0.99], [1.0, 0.5]])
@pytest.mark.parametrize(
    ("base", "best", "easy"), [(1.0, 1.0, True), (0.99, 0.98, True), (0.979, 0.979, False), (1.0, 0.9, False)]
)
def test_a_dev_set_without_room_is_too_easy(losses: list[float], base: float, best: float, easy: bool) -> None:
    (line,) = warnings(outcome(losses, [best]), base, AXES, OTHER_AXES)
    assert line.startswith("dev is too easy to show a gain") == easy
    assert ("train.learning_rate" not in line) == easy


@pytest.mark.parametrize(
    ("before", "after", "collapsed"),
    [
        (0.5, 0.99, True),  # .25 to .98
        (0.5, 0.97, False),  # to .94
        (0.96, 0.99, False),  # .92 to .98: the base model is such a one
        (0.9, 0.99, True),  # .81 to .98
    ],
)
def test_a_collapse_is_passages_that_become_alike(before: float, after: float, collapsed: bool) -> None:
    first, last = around(before), np.roll(around(after), 1, axis=0)
    lines = [line for line in warnings(outcome([1.0, 0.5], [0.6]), 0.5, first, last) if "collapsed" in line]
    if collapsed:
        assert f"(mean cosine {after**2:.2f} between two, {before**2:.2f} before)" in lines[0]
    else:
        assert lines == []


def test_alikeness_is_the_mean_cosine_between_two() -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [float(vectors[i] @ vectors[j]) for i in range(5) for j in range(5) if i != j]
    assert alikeness(vectors) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert alikeness(vectors[:1]) == 0
