"""The rule of the data curve, by hand."""

from typing import Any

import numpy as np
import pytest

from fieldtune.retrieval.curve_points import CurvePoint
from stages.evaluate.data_curve import DataCurve, data_curve
from tests.evaluate import made_up


def curve(
    last: float | list[float],
    n: int = 40,
    groups: int | None = None,
    unchanged: bool = False,
    kept: float = 0.125,
    **changes: Any,
) -> DataCurve:
    """The curve of 12.5, 25, 50 and 100 %, whose last doubling brings each query `last`, over and over.

    The base is kept with a share of `kept` and less. It scores .5, and each doubling before the last brings .05. Every
    query is a group of its own, or one of `groups`.
    """
    base = np.full(n, 0.5)
    halves = {0.125: base, 0.25: base + 0.05, 0.5: base + 0.1}
    whole = halves[0.5] + np.resize(np.atleast_1d(last), n)
    passages = {0.125: 100, 0.25: 200, 0.5: 400, 1.0: 800}
    trained = [
        CurvePoint(share, passages[share], 3 * passages[share], share <= kept, values)
        for share, values in [*halves.items(), (1.0, whole)]
    ]
    return data_curve(trained, base, np.arange(n) % (groups or n), unchanged, made_up.config(**changes))


def test_points_are_scores_and_gains_over_the_base() -> None:
    result = curve(0.03)
    assert (result.n, result.base) == (40, 0.5)
    assert [(point.share, point.passages, point.pairs, point.base_kept) for point in result.points] == [
        (0.125, 100, 300, True),
        (0.25, 200, 600, False),
        (0.5, 400, 1200, False),
        (1.0, 800, 2400, False),
    ]
    assert [point.ndcg for point in result.points] == [0.5, 0.55, 0.6, 0.63]
    assert [point.gain.mean for point in result.points] == pytest.approx([0.0, 0.05, 0.1, 0.13])
    # All queries gain the same: so does every sample of them.
    assert [point.gain.low for point in result.points] == pytest.approx([0.0, 0.05, 0.1, 0.13])
    assert [point.gain.high for point in result.points] == pytest.approx([0.0, 0.05, 0.1, 0.13])


def test_yes_where_the_last_doubling_brought_something() -> None:
    result = curve(0.03)
    assert result.answer == "yes"
    assert result.message == (
        "More queries would help: the last doubling, from 400 to 800 training passages, brought +0.030 (95% interval "
        "+0.030 to +0.030); twice as many may bring up to as much again."
    )


def test_cannot_tell_where_half_of_the_passages_left_the_base() -> None:
    result = curve(0.03, kept=0.5)
    assert result.answer == "cannot_tell"
    assert result.message == (
        "Cannot tell whether more queries would help: half of the training passages left the base model unchanged."
    )


def test_no_where_it_brought_less_than_what_counts() -> None:
    result = curve(0.01)  # `negligible` is .02
    assert result.answer == "no"
    assert result.message == (
        "More queries of this kind would hardly help: the last doubling, from 400 to 800 training passages, brought "
        "+0.010 (95% interval +0.010 to +0.010), entirely below 0.02."
    )
    assert curve(0.01, negligible=0.01).answer == "yes"


def test_no_where_it_did_harm() -> None:
    result = curve(-0.03)
    assert result.answer == "no"
    assert result.message == (
        "More queries of this kind would make the model worse: the last doubling, from 400 to 800 training passages, "
        "brought -0.030 (95% interval -0.030 to -0.030). Look at the data."
    )


def test_cannot_tell_where_the_interval_holds_both() -> None:
    """Half of the queries gain .12, half lose .10: .01 in the mean, deviation .11, so .11 / √40 = .017 is the error.

    The t interval of 40 values is 2.02 times that, .035 either side; as wide as .02 it is with (.07 / .02)² × 40 = 490
    queries.
    """
    result = curve([0.12, -0.1])
    assert result.answer == "cannot_tell"
    assert result.last is not None
    assert result.last.mean == pytest.approx(0.01)
    assert result.last.low == pytest.approx(-0.025, abs=0.004)
    assert result.last.high == pytest.approx(0.045, abs=0.004)
    start = (
        "Cannot tell whether more queries would help with 40 test queries: the last doubling, from 400 to 800 "
        "training passages, brought +0.010 (95% interval "
    )
    assert result.message.startswith(start)
    needed = int(result.message.removesuffix(" queries like these would be enough.").rpartition(" ")[2])
    assert needed == pytest.approx(490, abs=100)
    assert needed % 10 == 0
    # As many are enough indeed; and whatever is negligible, none where nothing is.
    assert curve([0.12, -0.1], n=needed + 60).answer != "cannot_tell"
    assert curve([0.12, -0.1], negligible=0.0).message.endswith(").")


def test_queries_of_one_group_are_one() -> None:
    """The same numbers, told from luck by 400 queries, and not by the 40 groups that they fall into."""
    assert curve([0.1, -0.02], n=400).answer == "yes"
    assert curve([0.1, -0.02], n=400, groups=8).answer == "cannot_tell"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"groups": 3},
            "the 40 test queries are about 3 groups of passages, and at least 6 are needed.",
        ),
        ({"unchanged": True}, "all of them together left the base model unchanged."),
    ],
)
def test_cannot_tell_from_too_few_groups_or_from_the_base(changes: dict[str, Any], message: str) -> None:
    result = curve(0.03, **changes)
    assert result.answer == "cannot_tell"
    assert result.message == f"Cannot tell whether more queries would help: {message}"


def test_cannot_tell_without_a_half() -> None:
    base = np.full(40, 0.5)
    result = data_curve([CurvePoint(1.0, 2, 5, False, base + 0.1)], base, np.arange(40), False, made_up.config())
    assert (result.answer, result.last) == ("cannot_tell", None)
    assert result.message == ("Cannot tell whether more queries would help: 2 training passages are too few to halve.")
    assert result.json()["last_doubling"] is None
