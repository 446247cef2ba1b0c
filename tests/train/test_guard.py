"""Which real queries guard, and what they say."""

import numpy as np
import pytest

from stages.query_sets import Judged
from stages.train import guard


def judged(real: int, groups: list[int]) -> Judged:
    ids = [f"r{row:06d}" for row in range(real)] + ["q000000"]
    rows = {"real": np.arange(real), "synthetic": np.array([real])}
    return Judged(ids, ids, [{0} for _ in ids], np.array([*groups, 99]), rows)


def test_fewer_than_thirty_do_not_guard() -> None:
    assert guard.some(judged(29, list(range(29))), 200, 0).tolist() == []
    assert guard.some(judged(30, list(range(30))), 200, 0).tolist() == list(range(30))
    assert guard.some(judged(40, [3] * 40), 200, 0).tolist() == []  # one group has no halves
    assert guard.some(judged(30, list(range(30))), 0, 0).tolist() == []


def test_of_many_whole_groups_are_drawn() -> None:
    of = [row // 4 for row in range(100)]
    rows = guard.some(judged(100, of), 50, 7)
    assert rows.tolist() == sorted(rows.tolist()) == guard.some(judged(100, of), 50, 7).tolist()
    assert len(rows) == 52  # 13 groups of four
    assert {of[row] for row in rows} == {of[row] for row in range(100) if of[row] in {of[r] for r in rows}}
    assert all(np.count_nonzero(np.array(of)[rows] == group) == 4 for group in {of[row] for row in rows})
    assert rows.tolist() != guard.some(judged(100, of), 50, 8).tolist()


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.1, 0.1, 0.3, 0.3], None),
        ([-0.1, -0.1, -0.3, -0.3], "gain -0.300 and -0.100, and both must"),
        ([0.1, 0.1, -0.3, -0.3], "gain -0.300 and +0.100, and both must"),
        ([0.0, 0.0, 0.1, 0.1], "gain +0.000 and +0.100, and both must"),  # no loss, but no gain
    ],
)
def test_both_halves_must_choose_the_tuned_model(gains: list[float], expected: str | None) -> None:
    """Two groups, so each is a half."""
    found = guard.doubt(np.array(gains), np.array([1, 1, 2, 2]), 0)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        said = found.removeprefix("by the tuned model the two halves of 4 real queries ")
        halves = set(said.removeprefix("gain ").removesuffix(", and both must").split(" and "))
        assert halves == set(expected.removeprefix("gain ").removesuffix(", and both must").split(" and "))


def test_a_group_is_in_one_half() -> None:
    groups = np.array([0] * 10 + [1] * 3 + [2] * 7)
    gains = np.where(groups == 0, -1.0, 1.0)
    for seed in range(5):
        found = guard.doubt(gains, groups, seed)
        assert found is not None
        # The ten of group 0 alone, or with the other groups that came before or with it.
        assert any(f"{(-10 + more) / (10 + more):+.3f}" in found for more in (0, 3, 7))
