"""The passages that stand for the corpus, on one-hot vectors."""

import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.corpus_part import part_by_words, part_of_corpus
from fieldtune.retrieval.judged_queries import Judged

ROWS = 200
VECTORS = np.eye(ROWS, dtype=np.float32)
# Two passages a section.
CORPUS = Corpus([f"s{number:03}" for number in range(ROWS // 2)], np.arange(ROWS) // 2, [""] * ROWS)


def judged(*relevant: set[int]) -> Judged:
    return Judged(
        ["q"] * len(relevant),
        [""] * len(relevant),
        [dict.fromkeys(answers, 1) for answers in relevant],
        np.arange(len(relevant)),
        {},
    )


def test_answers_are_in_then_the_nearest_then_others() -> None:
    near = (VECTORS[150] + 0.5 * VECTORS[7])[None]
    part = part_of_corpus(judged({3}), CORPUS, near, VECTORS, 10, 0).tolist()
    assert part == sorted(set(part))
    assert len(part) == 10
    assert {6, 7, 150} <= set(part)  # section 3's passages, and what the query is nearest to
    drawn = {tuple(part_of_corpus(judged({3}), CORPUS, near, VECTORS, 10, seed).tolist()) for seed in (0, 0, 1, 2)}
    assert len(drawn) == 3


def test_a_fifth_is_left_for_passages_at_random() -> None:
    near = np.linspace(1, 0.1, ROWS, dtype=np.float32)[None]  # nearest to row 0, then 1, …
    part = part_of_corpus(judged({0}), CORPUS, near, VECTORS, 10, 0).tolist()
    assert part[:8] == list(range(8))
    assert max(part) > 20


def test_every_answer_is_in_whatever_the_size() -> None:
    part = part_of_corpus(judged({1, 2}, {50, 51}), CORPUS, VECTORS[:2], VECTORS, 4, 0)
    assert part.tolist() == [2, 3, 4, 5, 100, 101, 102, 103]


@pytest.mark.parametrize("size", [ROWS, ROWS + 1])
def test_a_small_corpus_is_taken_whole(size: int) -> None:
    assert part_of_corpus(judged({1}), CORPUS, VECTORS[:1], VECTORS, size, 0).tolist() == list(range(ROWS))


def test_by_words_the_sections_that_share_some_with_the_query_come_first() -> None:
    texts = [f"word{row // 2}" for row in range(ROWS)]
    corpus = Corpus(CORPUS.sections, CORPUS.section_of, texts)
    query = Judged(["q"], ["word70 word5"], [{3: 1}], np.arange(1), {})
    part = part_by_words(query, corpus, 10, 0).tolist()
    assert len(part) == 10
    assert {6, 7, 10, 140} <= set(part)  # section 3's passages, the first of sections 5 and 70
    assert part_by_words(query, corpus, ROWS, 0).tolist() == list(range(ROWS))
