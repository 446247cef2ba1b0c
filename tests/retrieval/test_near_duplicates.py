"""Copies of texts: what counts as one is counted by hand, that none is missed by comparing all pairs."""

import random
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from fieldtune.retrieval.near_duplicates import Pairs, clusters, exact_copies, near_copies, union, words
from tests.dataset.workspace import jaccard


def pairs(rows: Pairs) -> list[tuple[int, int]]:
    return [(i, j) for i, j in rows.tolist()]


def near(texts: Sequence[str], overlap: float) -> list[tuple[int, int]]:
    return pairs(near_copies(words(texts), overlap))


def test_exact_copies_have_the_same_words() -> None:
    texts = ["A cat, a dog.", "another", "a CAT\n a dog", "→", "a cat a dog!", "***", "→"]
    assert pairs(exact_copies(words(texts))) == [(0, 2), (2, 4), (3, 6)]


@pytest.mark.parametrize(("overlap", "pairs"), [(0.6, [(0, 1)]), (0.61, [])])
def test_near_copies_share_three_word_shingles(overlap: float, pairs: list[tuple[int, int]]) -> None:
    # 8 shingles each; the last two of either are its own: 6 of 10 are shared
    assert near(["a b c d e f g h i j", "a b c d e f g h x y", "other words altogether"], overlap) == pairs


def test_repeated_shingles_count_once() -> None:
    # a b a, b a b, and a b c or a b d: 2 of 4 are shared, however often they come
    texts = [" ".join(["a b"] * times + [last]) for times, last in ((3, "c"), (20, "d"))]
    assert near(texts, 0.5) == [(0, 1)]
    assert near(texts, 0.51) == []


def test_short_texts_are_copies_only_of_themselves() -> None:
    assert near(["one", "two", "", "one two", "one", "two one", "one two", ""], 0.8) == [(0, 4), (3, 6)]


@pytest.mark.parametrize("overlap", [0.5, 0.7, 0.8, 1.0])
def test_no_pair_is_missed(overlap: float) -> None:
    draw = random.Random(1)
    texts = []
    for _ in range(30):
        own = [f"w{draw.randrange(400)}" for _ in range(draw.randrange(5, 60))]
        for changes in (0, 0, 1, 2, 4):
            copy = own[draw.randrange(3) :]
            for _ in range(changes):
                copy[draw.randrange(len(copy))] = f"w{draw.randrange(400)}"
            texts.append(" ".join(copy))
    everything = [
        (i, j) for i in range(len(texts)) for j in range(i + 1, len(texts)) if jaccard(texts[i], texts[j]) >= overlap
    ]
    assert len(everything) > 5
    assert near(texts, overlap) == everything


def test_no_pair_is_missed_where_few_words_make_all_texts() -> None:
    draw = random.Random(2)
    texts = [" ".join(draw.choices("ab", k=draw.randrange(3, 12))) for _ in range(50)]
    everything = [(i, j) for i in range(50) for j in range(i + 1, 50) if jaccard(texts[i], texts[j]) >= 0.6]
    assert len(everything) > 100
    assert near(texts, 0.6) == everything


def test_a_large_family_hangs_together_by_few_pairs() -> None:
    common = [f"w{n}" for n in range(40)]
    texts = [" ".join([f"row {n}", *common, f"value {n}"]) for n in range(1000)]
    pairs = near(texts, 0.8)
    assert set(clusters(1000, pairs)) == {0}
    assert 999 <= len(pairs) <= 50 * 1000  # of half a million


def test_memory_is_a_few_numbers_for_each_word() -> None:
    draw = random.Random(3)
    texts = words(" ".join(f"w{draw.randrange(5000)}" for _ in range(100)) for _ in range(1000))
    tracemalloc.start()
    near_copies(texts, 0.8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / 100_000 < 32  # bytes; a million passages of 100 words: 3.2 GB


# 32 characters each, so 30 shingles; where one changes, three are others: 27 of 33 = .82 are shared
CHINESE = "删除存储桶之前必须先清空其中的所有对象否则服务会返回错误并保留桶内的全部数据"[:32]
JAPANESE = "バケットを削除する前にすべてのオブジェクトを空にする必要がありますそうしないと失敗"[:32]
THAI = "ลบวัตถุทั้งหมดออกจากถังข้อมูลเสียก่อนแล้วค่อยปิดบริการนี้"[:32]


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI])
def test_a_character_is_a_word_where_there_are_no_blanks(text: str) -> None:
    assert words([text]).starts.tolist() == [0, 32]
    one_changed = text[:15] + "異" + text[16:]
    two_changed = one_changed[:25] + "異" + one_changed[26:]  # 24 of 36 = .67
    other = text[::-1]
    assert near([text, one_changed, two_changed, other], 0.8) == [(0, 1), (1, 2)]
    assert near([text, one_changed, two_changed, other], 0.66) == [(0, 1), (0, 2), (1, 2)]
    # A comma and a full stop are no words
    assert pairs(exact_copies(words([text, f"{text[:7]}，{text[7:]}。"]))) == [(0, 1)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("使用AWS Lambda函数", 6),
        ("S3バケットを", 6),
        ("데이터 삭제", 2),  # Korean has blanks
        ("किताब की", 2),  # vowel signs are part of a word
        ("Größe prüfen", 2),
        ("", 0),
        ("→ *", 2),
    ],
)
def test_words(text: str, count: int) -> None:
    assert words(["one", text]).starts.tolist() == [0, 1, 1 + count]


def test_texts_are_joined_by_group() -> None:
    apart = words(["a b", "c", "d e f", "b"])
    joined = apart.joined(np.array([1, 0, 1, 2]))
    assert [joined.numbers[i:j].tolist() for i, j in pairwise(joined.starts)] == [
        [2],
        [0, 1, 3, 4, 5],
        [1],
    ]


def test_union_is_sorted_and_has_each_pair_once() -> None:
    assert union().tolist() == []
    assert union(np.array([[2, 3], [0, 9]]), union(), np.array([[2, 3], [0, 4]])).tolist() == [[0, 4], [0, 9], [2, 3]]


def test_clusters_are_named_by_their_smallest_member() -> None:
    assert clusters(7, [(5, 6), (1, 5), (2, 3), (3, 2)]) == [0, 1, 2, 2, 4, 1, 1]
    assert clusters(7, np.array([[5, 6], [1, 5], [2, 3]])) == [0, 1, 2, 2, 4, 1, 1]
    assert clusters(3, set()) == [0, 1, 2]
    assert clusters(0, []) == []


def test_a_long_chain_and_a_star_are_one_cluster() -> None:
    names = list(range(2000))
    random.Random(4).shuffle(names)
    chain = list(pairwise(names[:1000]))
    star = [(names[1000], name) for name in names[1001:]]
    cluster_of = clusters(2000, chain + star)
    assert {cluster_of[name] for name in names[:1000]} == {min(names[:1000])}
    assert {cluster_of[name] for name in names[1000:]} == {min(names[1000:])}
