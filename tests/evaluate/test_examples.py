"""The queries that changed most: one of each group, biggest first."""

import numpy as np

from stages.evaluate.examples import Example, Found, most_changed
from stages.query_sets import Judged
from stages.ranking import DEPTH, Rankings

SECTIONS = ["a#A", "b#B", "c#C", "d#D"]
JUDGED = Judged(
    ids=[f"r{n}" for n in range(6)],
    texts=[f"query {n}" for n in range(6)],
    relevant=[{0}, {0}, {1, 2}, {2}, {3}, {3}],
    groups=np.array([1, 1, 2, 3, 4, 5]),
    sets={},
)


def ranked(*row: int) -> Rankings:
    rows = np.array([[*row] + [-1] * (DEPTH - len(row))] * 6)
    return Rankings(rows, np.zeros(rows.shape))


def changed(gains: list[float], rows: list[int], count: int = 9) -> tuple[list[Example], list[Example]]:
    return most_changed(JUDGED, np.array(rows), np.array(gains), ranked(3, 0, 1, 2), ranked(2, 1), SECTIONS, count)


def test_wins_and_losses_are_sorted_and_one_of_each_group() -> None:
    wins, losses = changed([0.2, 0.3, 0.5, -0.1, -0.9, 0.0], [0, 1, 2, 3, 4, 5])
    assert [(win.query, win.gain) for win in wins] == [("query 2", 0.5), ("query 1", 0.3)]
    assert [loss.query for loss in losses] == ["query 4", "query 3"]


def test_only_the_rows_asked_for_and_so_many() -> None:
    wins, losses = changed([0.2, 0.3, 0.5, 0.5, -0.9, 0.1], [0, 2, 3, 5], count=2)
    assert [win.query for win in wins] == ["query 2", "query 3"]  # equal gains by id
    assert losses == []


def test_three_results_of_each_with_the_right_ones_marked() -> None:
    wins, _ = changed([0, 0, 0.5, 0, 0, 0], [2])
    assert wins == [
        Example(
            "query 2",
            0.5,
            ["b#B", "c#C"],
            base=[Found("d#D", False), Found("a#A", False), Found("b#B", True)],
            tuned=[Found("c#C", True), Found("b#B", True)],
        )
    ]
