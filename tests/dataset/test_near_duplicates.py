"""Copies of texts: what counts as one is counted by hand, that none is missed by comparing all pairs."""

import random

import pytest

from stages.dataset.near_duplicates import clusters, exact_copies, near_copies
from tests.dataset.workspace import jaccard


def test_exact_copies_have_the_same_words() -> None:
    texts = ["A cat, a dog.", "another", "a CAT\n a dog", "→", "a cat a dog!", "***", "→"]
    assert exact_copies(texts) == {(0, 2), (2, 4), (3, 6)}


@pytest.mark.parametrize(("overlap", "found"), [(0.6, {(0, 1)}), (0.61, set())])
def test_near_copies_share_three_word_shingles(overlap: float, found: set[tuple[int, int]]) -> None:
    # 8 shingles each; the last two of either are its own: 6 of 10 are shared
    assert near_copies(["a b c d e f g h i j", "a b c d e f g h x y", "other words altogether"], overlap) == found


def test_short_texts_are_copies_only_of_themselves() -> None:
    assert near_copies(["one", "two", "one two", "one", "two one"], 0.8) == {(0, 3)}


@pytest.mark.parametrize("overlap", [0.5, 0.7, 0.8, 1.0])
def test_no_pair_is_missed(overlap: float) -> None:
    draw = random.Random(1)
    texts = []
    for _ in range(30):
        words = [f"w{draw.randrange(400)}" for _ in range(draw.randrange(5, 60))]
        for changes in (0, 0, 1, 2, 4):
            copy = words[draw.randrange(3) :]
            for _ in range(changes):
                copy[draw.randrange(len(copy))] = f"w{draw.randrange(400)}"
            texts.append(" ".join(copy))
    everything = {(i, j) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= overlap}
    assert len(everything) > 5
    assert near_copies(texts, overlap) == everything


def test_a_large_family_hangs_together() -> None:
    common = [f"w{n}" for n in range(40)]
    texts = [" ".join([f"row {n}", *common, f"value {n}"]) for n in range(300)]
    assert len(set(clusters(300, near_copies(texts, 0.8)))) == 1


def test_clusters_are_named_by_their_smallest_member() -> None:
    assert clusters(7, [(5, 6), (1, 5), (2, 3), (3, 2)]) == [0, 1, 2, 2, 4, 1, 1]
    assert clusters(0, []) == []
