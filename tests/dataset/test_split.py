"""The split: whole units, the shares asked for, and sections that stay where they were."""

from collections import Counter
from itertools import pairwise

import pytest

from stages.dataset.split import SPLITS, SplitUnits, assign_splits, split_units


def test_copies_are_one_unit() -> None:
    assert split_units(["a", "a", "b", "c"], {(0, 2), (2, 3)}, 0.5) == SplitUnits([0, 1, 0, 0], whole_documents=False)


def test_many_documents_of_like_size_stay_whole() -> None:
    documents = [f"d{number // 5}" for number in range(100)]  # 20 documents of 5 sections
    units = split_units(documents, {(0, 99)}, 0.5)
    assert units.whole_documents
    assert [units.unit_of[number] for number in (0, 4, 5, 95, 99)] == [0, 0, 5, 0, 0]  # a copy joins two documents
    # With 19 documents dev has 9; a document of more than a tenth of all sections may fill it: sections are split.
    assert not split_units(documents[:95], set(), 0.5).whole_documents
    assert not split_units(documents, set(), 0.45).whole_documents
    assert not split_units(["d0"] * 7 + documents, set(), 0.5).whole_documents


def test_units_are_whole_and_shares_are_kept() -> None:
    unit_of = [number // 3 for number in range(300)]
    splits = assign_splits(unit_of, [f"s{number}" for number in range(300)], dev=0.08, test=0.1, seed=0)
    for start in range(0, 300, 3):
        assert len(set(splits[start : start + 3])) == 1
    assert Counter(splits) == {"test": 30, "dev": 39, "train": 231}  # .15 of 300 are 45, more than 40


@pytest.mark.parametrize(
    ("sections", "share", "dev"),
    [(100, 0.05, 15), (200, 0.05, 30), (300, 0.05, 40), (800, 0.05, 80), (1000, 0.05, 50), (300, 0.2, 60)],
)
def test_dev_is_large_enough_to_choose_by(sections: int, share: float, dev: int) -> None:
    names = [f"s{number}" for number in range(sections)]
    assert Counter(assign_splits(list(range(sections)), names, share, 0.05, 0))["dev"] == dev


@pytest.mark.parametrize(
    ("sections", "share", "test"),
    [(100, 0.05, 15), (240, 0.05, 30), (999, 0.05, 99), (1000, 0.05, 50), (400, 0.2, 80)],
)
def test_the_test_is_a_tenth_of_few_sections(sections: int, share: float, test: int) -> None:
    names = [f"s{number}" for number in range(sections)]
    assert Counter(assign_splits(list(range(sections)), names, 0.05, share, 0))["test"] == test


def test_a_unit_that_is_larger_than_its_split_is_for_training() -> None:
    unit_of = [0] * 60 + list(range(60, 100))
    for seed in range(5):
        splits = assign_splits(unit_of, [f"s{number:03}" for number in range(100)], dev=0.1, test=0.1, seed=seed)
        assert (set(splits[:60]), Counter(splits)) == ({"train"}, {"train": 70, "dev": 15, "test": 15})


@pytest.mark.parametrize("size", [1, 4])
def test_three_units_are_enough(size: int) -> None:
    unit_of = [number // size for number in range(3 * size)]
    splits = assign_splits(unit_of, [f"s{number}" for number in range(3 * size)], 0.01, 0.01, 0)
    assert Counter(splits) == dict.fromkeys(SPLITS, size)


def test_another_seed_is_another_split() -> None:
    names = [f"s{number}" for number in range(100)]
    one, other = (assign_splits(list(range(100)), names, 0.1, 0.1, seed) for seed in (0, 1))
    assert one != other
    assert one == assign_splits(list(range(100)), names, 0.1, 0.1, 0)


def test_more_documents_move_few_sections() -> None:
    names = [f"doc{number}.md#Part" for number in range(500)]
    sizes = range(400, 501, 10)
    assigned = [dict(zip(names[:n], assign_splits(list(range(n)), names[:n], 0.1, 0.1, 0), strict=True)) for n in sizes]
    for fewer, more in pairwise(assigned):
        moved = [name for name, split in fewer.items() if more[name] != split]
        # The splits' borders shift by less than the new sections; a random split would move a third.
        assert len(moved) <= 10
    test = [{name for name, split in splits.items() if split == "test"} for splits in (assigned[0], assigned[-1])]
    assert len(test[0] & test[1]) >= 30  # of 40, after a quarter more documents
