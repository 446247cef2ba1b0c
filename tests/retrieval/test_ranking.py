"""Rankings against plain arithmetic: exact search, MaxP, BM25 and fusion, ties as trec_eval has them."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, StoredVectors, write_vectors
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import DEPTH, Rankings
from fieldtune.runtime.memory import MEMORY_GB


def made_corpus(sections: Sequence[str], texts: Sequence[str] | None = None) -> Corpus:
    """A passage for each name in `sections`; the title is empty, the source of each section is `s`."""
    texts = texts or [""] * len(sections)
    rows = [
        {"source": "s", "section": name, "title": "", "text": text} for name, text in zip(sections, texts, strict=True)
    ]
    return Corpus.from_passages(rows)


def names(rankings: Rankings, corpus: Corpus, query: int = 0) -> list[str]:
    return [corpus.sections[s].removeprefix("s#") for s in rankings.sections[query].tolist() if s >= 0]


def scores(rankings: Rankings, query: int = 0) -> list[float]:
    return [score for score in rankings.scores[query].tolist() if score > -np.inf]


def line(*cosines: float) -> npt.NDArray[np.float32]:
    """Unit vectors in the plane with these cosines to (1, 0)."""
    return np.array([[c, math.sqrt(1 - c * c)] for c in cosines], dtype=np.float32)


ASKED = np.array([[1, 0]], dtype=np.float32)


@pytest.mark.parametrize("k", [1, 5, 50, 80])
def test_chunked_search_is_a_plain_product(monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    monkeypatch.setattr(ranking, "_CHUNK", 64)  # 9 queries
    monkeypatch.setattr(ranking, "_COLUMNS", 7)  # passages at once
    numbers = np.random.default_rng(0)
    queries, passages = (numbers.normal(size=(n, 8)).astype(np.float32) for n in (23, 50))
    nearest, values = ranking.nearest(queries, passages, k)
    plain = queries @ passages.T
    best = np.argsort(-plain, axis=1)[:, :k]
    np.testing.assert_array_equal(nearest, best)
    np.testing.assert_allclose(values, np.take_along_axis(plain, best, axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("held", [1, 7 * 8 * 4, 2 * 7 * 8 * 4 + 1, 10**9])
def test_stored_vectors_rank_as_those_in_memory_whatever_memory_there_is(
    held: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "_CHUNK", 64)
    monkeypatch.setattr(ranking, "_COLUMNS", 7)
    monkeypatch.setenv(MEMORY_GB, f"{held / 1e9:.12f}")
    numbers = np.random.default_rng(0)
    queries, passages = (numbers.normal(size=(n, 8)).astype(np.float32) for n in (23, 50))
    passages[30:40] = passages[3]  # copies, whose order is the same, too
    texts = [f"text {row}" for row in range(50)]
    write_vectors(tmp_path, PASSAGES, texts, passages)
    stored = StoredVectors(tmp_path, PASSAGES, texts)
    read, reads = StoredVectors.__getitem__, []

    def counted(self: StoredVectors, rows: slice) -> npt.NDArray[np.float32]:
        vectors = read(self, rows)
        reads.append(len(vectors))
        return vectors

    monkeypatch.setattr(StoredVectors, "__getitem__", counted)
    found = ranking.nearest(queries, stored, 12)
    # Each once, whatever the number of queries; a block of seven is the least.
    assert sum(reads) == 50
    assert max(reads) <= max(7, held // (8 * 4))
    for one, other in zip(found, ranking.nearest(queries, passages, 12), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(ranking.cosines(queries[0], stored), ranking.cosines(queries[0], passages))


def test_no_queries_find_nothing() -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    assert ranking.nearest(none, line(0.1, 0.2), 5)[0].shape == (0, 2)
    assert ranking.dense(none, line(0.1), made_corpus(["a"])).sections.shape == (0, DEPTH)
    assert ranking.bm25([], made_corpus(["a"], ["word"])).sections.shape == (0, DEPTH)


def test_a_section_scores_as_its_best_passage() -> None:
    corpus = made_corpus(["a", "b", "a", "c", "b"])
    rankings = ranking.dense(ASKED, line(0.1, 0.5, 0.7, 0.2, 0.3), corpus)
    assert names(rankings, corpus) == ["a", "b", "c"]
    assert scores(rankings) == pytest.approx([0.7, 0.5, 0.2])
    assert set(rankings.sections[0, 3:].tolist()) == {-1}


def test_equal_scores_rank_the_id_that_sorts_last_first() -> None:
    corpus = made_corpus(["b10", "é", "b9", "B", "z", "b"])
    rankings = ranking.dense(ASKED, line(0.5, 0.5, 0.5, 0.5, 0.9, 0.5), corpus)
    assert names(rankings, corpus) == ["z", "é", "b9", "b10", "b", "B"]  # by code point, backwards


def test_a_section_of_many_passages_hides_no_other() -> None:
    corpus = made_corpus(["long"] * 1000 + [f"n{number:03}" for number in range(120)])
    rankings = ranking.dense(ASKED, line(*[0.9] * 1000, *np.linspace(0.8, 0.1, 120).tolist()), corpus)
    assert names(rankings, corpus) == ["long", *(f"n{number:03}" for number in range(99))]


def test_many_equal_scores_are_cut_by_the_tie_rule() -> None:
    every = [f"n{number:04}" for number in range(1500)]
    random.Random(0).shuffle(every)
    corpus = made_corpus(every, ["same words here"] * 1500)
    expected = sorted(every, reverse=True)[:DEPTH]
    assert names(ranking.dense(ASKED, line(*[0.5] * 1500), corpus), corpus) == expected
    assert names(ranking.bm25(["same words"], corpus), corpus) == expected


def test_memory_is_bounded_where_more_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = made_corpus(["long"] * 900 + [f"n{number:03}" for number in range(120)])
    table = line(*[0.9] * 900, *np.linspace(0.8, 0.1, 120).tolist())
    queries = np.repeat(ASKED, 30, axis=0)
    whole = ranking.dense(queries, table, corpus)
    monkeypatch.setattr(ranking, "_CHUNK", 1000)
    parts = ranking.dense(queries, table, corpus)
    np.testing.assert_array_equal(whole.sections, parts.sections)
    np.testing.assert_array_equal(whole.scores, parts.scores)


def test_bm25_by_hand() -> None:
    corpus = made_corpus(["a", "b", "c"], ["apple apple pear", "apple plum", "plum plum plum"])
    rankings = ranking.bm25(["the apples"], corpus)  # stop words do not count; stemmed like the passages
    # idf = ln(1 + (3 - 2 + .5) / (2 + .5)); tf / (tf + 1.5 * (1 - .75 + .75 * length / average)), average 8/3
    idf = math.log(1 + 1.5 / 2.5)
    a = idf * 2 / (2 + 1.5 * (0.25 + 0.75 * 3 / (8 / 3)))
    b = idf * 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / (8 / 3)))
    assert names(rankings, corpus) == ["a", "b"]
    assert scores(rankings) == pytest.approx([a, b], rel=1e-5)


def test_bm25_knows_titles() -> None:
    rows = [{"source": "s", "section": name, "title": f"About {name}", "text": "words"} for name in ("x1", "y1")]
    corpus = Corpus.from_passages(rows)
    assert names(ranking.bm25(["y1"], corpus), corpus) == ["y1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("重置密码", ["密码", "设置"]),  # 设置 by a character alone
        ("密", ["密码"]),
        ("รหัสผ่าน", ["ไทย"]),
        ("पासवर्ड", ["हिन्दी"]),
        ("비밀번호", ["한국어"]),
    ],
)
def test_bm25_of_scripts_without_blanks_and_with_marks(query: str, expected: list[str]) -> None:
    texts = {
        "设置": "置物架在右边。",
        "密码": "您可以在设置页面重置密码。",
        "ไทย": "ตั้งรหัสผ่านใหม่",
        "हिन्दी": "अपना पासवर्ड बदलें",
        "अन्य": "सवर",
        "한국어": "비밀번호를 재설정하세요",
    }
    corpus = made_corpus(list(texts), list(texts.values()))
    assert names(ranking.bm25([query], corpus), corpus) == expected


@pytest.mark.parametrize("query", ["unknown", "", "the of", "¿?"])
def test_bm25_finds_nothing_for_a_query_without_known_words(query: str) -> None:
    corpus = made_corpus(["a", "b"], ["apple", "pear"])
    rankings = ranking.bm25([query, "pear"], corpus)
    assert (names(rankings, corpus, 0), names(rankings, corpus, 1)) == ([], ["b"])


def test_bm25_of_a_corpus_without_words_finds_nothing() -> None:
    corpus = made_corpus(["a", "b"], ["the", "***"])
    assert names(ranking.bm25(["pear"], corpus), corpus) == []


def test_fusion_by_hand() -> None:
    corpus = made_corpus(["a", "b", "c", "d"])
    left = ranking.dense(ASKED, line(0.9, 0.7, 0.4, 0.1), corpus)  # a 1, b .75, c .375, d 0
    right = Rankings(np.full((1, DEPTH), -1), np.full((1, DEPTH), -np.inf))
    right.sections[0, :3], right.scores[0, :3] = [1, 2, 3], [12, 9, 4]  # b 1, c .625, d 0, a absent
    rankings = ranking.fuse(left, right, corpus, 0.5)
    assert names(rankings, corpus) == ["b", "c", "a", "d"]  # c and a are equal
    assert scores(rankings) == pytest.approx([0.875, 0.5, 0.5, 0])
    rankings = ranking.fuse(left, right, corpus, 0.9)
    assert names(rankings, corpus) == ["a", "b", "c", "d"]
    assert scores(rankings) == pytest.approx([0.9, 0.9 * 0.75 + 0.1, 0.9 * 0.375 + 0.0625, 0], rel=1e-6)


def test_a_share_of_all_or_nothing_is_the_one_ranking() -> None:
    corpus = made_corpus(["a", "b", "c"])
    left, right = ranking.dense(ASKED, line(0.9, 0.2, 0.1), corpus), ranking.dense(ASKED, line(0.1, 0.3, 0.8), corpus)
    assert ranking.fuse(left, right, corpus, 1.0) is left
    assert ranking.fuse(left, right, corpus, 0.0) is right


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({0: 7.0}, {}, {0: 0.6}),  # a list of one
        ({0: 7.0, 1: 7.0}, {1: 2.0}, {1: 1.0, 0: 0.6}),  # equal scores
        ({}, {2: 3.0, 1: 1.0}, {2: 0.4, 1: 0.0}),  # one list is empty
        ({}, {}, {}),
        ({0: -1.0, 1: -3.0}, {1: 5.0}, {0: 0.6, 1: 0.4}),  # scores below 0
    ],
)
def test_normalised_scores(left: dict[int, float], right: dict[int, float], expected: dict[int, float]) -> None:
    corpus = made_corpus(["a", "b", "c"])

    def ranked(scored: dict[int, float]) -> Rankings:
        rankings = Rankings(np.full((1, DEPTH), -1), np.full((1, DEPTH), -np.inf))
        rankings.sections[0, : len(scored)] = list(scored)
        rankings.scores[0, : len(scored)] = list(scored.values())
        return rankings

    fused = ranking.fuse(ranked(left), ranked(right), corpus, 0.6)
    found = fused.sections[0][fused.sections[0] >= 0].tolist()
    assert found == list(expected)
    assert scores(fused) == pytest.approx(list(expected.values()), abs=1e-6)


def test_scores_are_equal_where_float32_says_so() -> None:
    # .2 * .7 + .8 * .2 and .2 * .3 + .8 * .3 are .3, but in double precision the first sum is the larger by a bit
    assert 0.2 * 0.7 + 0.8 * 0.2 > 0.2 * 0.3 + 0.8 * 0.3
    corpus = made_corpus(["first", "n1", "n2", "last"])

    def ranked(sections: list[int], values: list[float]) -> Rankings:
        rankings = Rankings(np.full((1, DEPTH), -1), np.full((1, DEPTH), -np.inf))
        rankings.sections[0, :4], rankings.scores[0, :4] = sections, values
        return rankings

    left, right = ranked([0, 1, 2, 3], [1, 0.7, 0.3, 0]), ranked([0, 2, 1, 3], [1, 0.3, 0.2, 0])
    assert names(ranking.fuse(left, right, corpus, 0.2), corpus) == ["first", "n2", "n1", "last"]


def test_the_order_of_passages_changes_nothing() -> None:
    numbers = np.random.default_rng(0)
    table = numbers.integers(0, 3, (300, 5)).astype(np.float32)  # exact sums, many ties
    queries = numbers.integers(0, 3, (20, 5)).astype(np.float32)
    sections = [f"n{n}" for n in numbers.integers(0, 150, 300)]
    texts = [" ".join(f"w{w}" for w in numbers.integers(0, 30, 12)) for _ in range(300)]
    order = numbers.permutation(300)
    one = made_corpus(sections, texts)
    other = made_corpus([sections[i] for i in order], [texts[i] for i in order])
    texts_asked = [f"w{n} w{n + 7}" for n in range(20)]
    of_one: list[list[str]] = []
    of_other: list[list[str]] = []
    for ranked_names, vectors, corpus in ((of_one, table, one), (of_other, table[order], other)):
        dense, words = ranking.dense(queries, vectors, corpus), ranking.bm25(texts_asked, corpus)
        for rankings in (dense, words, ranking.fuse(dense, words, corpus, 0.4)):
            ranked_names += [names(rankings, corpus, query) for query in range(20)]
    assert of_one == of_other
