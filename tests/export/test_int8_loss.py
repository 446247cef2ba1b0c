"""What int8 loses, on one-hot vectors, so that every number is worked out by hand."""

import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.judged_queries import Judged
from stages.export.int8_loss import draw

ONE_HOT = np.eye(3, dtype=np.float32)
CORPUS = Corpus(["a", "b", "c"], np.arange(3), ["text a", "text b", "text c"])
NONE = np.full(6, -1)  # no query is a passage itself


def judged(relevant: list[set[int]], **sets: list[int]) -> Judged:
    names = [f"r{row}" for row in range(len(relevant))]
    rows = {name: np.array(members) for name, members in sets.items()}
    return Judged(
        names,
        names,
        [dict.fromkeys(answers, 1) for answers in relevant],
        np.arange(len(relevant)),
        rows,
        main_set="real",
    )


def test_the_loss_is_the_mean_drop_in_ndcg() -> None:
    check = draw(judged([{0}, {1}], real=[0, 1]), NONE[:2], CORPUS, (ONE_HOT[:2], ONE_HOT), most=10, size=10, seed=0)
    moved = np.array([[0.6, 0.8, 0], [0, 1, 0]], dtype=np.float32)  # the first query now finds b, then a
    loss = check.loss(moved, ONE_HOT)
    # NDCG@10 was 1 and 1, and is 1/log2(3) = .630930 and 1: drops of .369070 and 0, of deviation .184535 = .130486 √2.
    assert (loss.query_set, loss.queries, loss.passages) == ("real", 2, 3)
    assert (loss.before, loss.after, loss.lost) == (1.0, 0.815465, 0.184535)
    assert loss.standard_error == pytest.approx(0.130486, abs=1e-6)


def test_a_query_that_is_a_passage_is_not_charged_for_finding_itself() -> None:
    """The first two queries are the sections a and b, whose answer is c: what is left is c, the other in its place."""
    near_c = np.array([[0.8, 0.0, 0.6], [0.0, 0.8, 0.6]], dtype=np.float32)
    check = draw(judged([{2}, {2}], real=[0, 1]), np.array([0, 1]), CORPUS, (near_c, ONE_HOT), most=10, size=10, seed=0)
    assert check.loss(near_c, ONE_HOT).before == 1.0
    # The second query now finds a before c.
    moved = np.array([[0.8, 0.0, 0.6], [0.64, 0.6, 0.48]], dtype=np.float32)
    assert check.loss(moved, ONE_HOT).after == pytest.approx((1 + 0.63093) / 2, abs=1e-5)


def test_a_gain_is_a_negative_loss() -> None:
    queries = np.array([[0.8, 0.6, 0]], np.float32)
    check = draw(judged([{1}], real=[0]), NONE[:1], CORPUS, (queries, ONE_HOT), most=1, size=9, seed=0)
    assert check.loss(ONE_HOT[1:2], ONE_HOT).lost == -0.36907


def test_queries_are_drawn_from_the_main_set_with_their_answers_and_vectors() -> None:
    queries = ONE_HOT[[0, 1, 2, 0, 1, 2]]
    relevant = [{row % 3} for row in range(6)]
    of_real = judged(relevant, synthetic=[0, 5], real=[1, 2, 3, 4])
    check = draw(of_real, NONE, CORPUS, (queries, ONE_HOT), most=2, size=10, seed=0)
    assert len(check.queries) == 2
    assert set(check.queries) <= {"r1", "r2", "r3", "r4"}
    rows = [int(name[1:]) for name in check.queries]
    assert check.loss(queries[rows], ONE_HOT).after == check.loss(queries[rows], ONE_HOT).before == 1.0
    others = {tuple(draw(of_real, NONE, CORPUS, (queries, ONE_HOT), most=2, size=10, seed=s).queries) for s in range(8)}
    assert len(others) > 1


def test_only_a_part_of_a_larger_corpus_is_ranked() -> None:
    sections = [f"s{row:03}" for row in range(100)]
    corpus = Corpus(sections, np.arange(100), [f"text {row}" for row in range(100)])
    vectors = np.eye(100, dtype=np.float32)
    check = draw(judged([{70}], real=[0]), NONE[:1], corpus, (vectors[70:71], vectors), most=1, size=10, seed=0)
    assert len(check.passages.texts) == 10
    rows = [int(text.split()[1]) for text in check.passages.texts]
    assert check.loss(vectors[70:71], vectors[rows]).after == 1.0
