"""The split: whole groups, the shares asked for, and sections that stay where they were."""

from collections import Counter
from itertools import pairwise

import pytest

from stages.dataset.split import groups, split

SIDES = ("train", "dev", "test")


def test_copies_are_one_group() -> None:
    assert groups(["a", "a", "b", "c"], {(0, 2), (2, 3)}, 0.5) == ([0, 1, 0, 0], False)


def test_many_documents_of_like_size_stay_whole() -> None:
    sources = [f"d{number // 5}" for number in range(100)]  # 20 documents of 5 sections
    found, whole = groups(sources, {(0, 99)}, 0.5)
    assert whole
    assert [found[number] for number in (0, 4, 5, 95, 99)] == [0, 0, 5, 0, 0]  # a copy joins two documents
    # With 19 documents a side has 9, with one of a tenth of all sections that one may be the side: sections are split.
    assert not groups(sources[:95], set(), 0.5)[1]
    assert not groups(sources, set(), 0.45)[1]
    assert not groups(["d0"] * 7 + sources, set(), 0.5)[1]


def test_groups_are_whole_and_shares_are_kept() -> None:
    group_of = [number // 3 for number in range(300)]
    sides = split(group_of, [f"s{number}" for number in range(300)], dev=0.08, test=0.1, seed=0)
    for start in range(0, 300, 3):
        assert len(set(sides[start : start + 3])) == 1
    assert Counter(sides) == {"test": 30, "dev": 39, "train": 231}  # .15 of 300 are 45, more than 40


@pytest.mark.parametrize(
    ("sections", "share", "dev"),
    [(100, 0.05, 15), (200, 0.05, 30), (300, 0.05, 40), (800, 0.05, 40), (1000, 0.05, 50), (300, 0.2, 60)],
)
def test_dev_is_large_enough_to_choose_by(sections: int, share: float, dev: int) -> None:
    names = [f"s{number}" for number in range(sections)]
    assert Counter(split(list(range(sections)), names, share, 0.05, 0))["dev"] == dev


def test_a_group_that_is_larger_than_its_side_is_for_training() -> None:
    group_of = [0] * 60 + list(range(60, 100))
    for seed in range(5):
        sides = split(group_of, [f"s{number:03}" for number in range(100)], dev=0.1, test=0.1, seed=seed)
        assert (set(sides[:60]), Counter(sides)) == ({"train"}, {"train": 75, "dev": 15, "test": 10})


@pytest.mark.parametrize("size", [1, 4])
def test_three_groups_are_enough(size: int) -> None:
    sides = split([number // size for number in range(3 * size)], [f"s{n}" for n in range(3 * size)], 0.01, 0.01, 0)
    assert Counter(sides) == dict.fromkeys(SIDES, size)


def test_another_seed_is_another_split() -> None:
    names = [f"s{number}" for number in range(100)]
    one, other = (split(list(range(100)), names, 0.1, 0.1, seed) for seed in (0, 1))
    assert one != other
    assert one == split(list(range(100)), names, 0.1, 0.1, 0)


def test_more_documents_move_few_sections() -> None:
    names = [f"doc{number}.md#Part" for number in range(500)]
    sizes = range(400, 501, 10)
    of = [dict(zip(names[:n], split(list(range(n)), names[:n], 0.1, 0.1, 0), strict=True)) for n in sizes]
    for fewer, more in pairwise(of):
        moved = [name for name, side in fewer.items() if more[name] != side]
        # The sides' borders shift by less than the new sections; a random split would move a third.
        assert len(moved) <= 10
    test = [{name for name, side in sides.items() if side == "test"} for sides in (of[0], of[-1])]
    assert len(test[0] & test[1]) >= 30  # of 40, after a quarter more documents
