"""Metrics worked out by hand, and against trec_eval (pytrec_eval) through the ranking's own order."""

import math

import numpy as np
import pytest
import pytrec_eval
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.ranking import DEPTH, Rankings

TREC = {
    "ndcg_cut_10": "ndcg@10",
    **{f"recall_{depth}": f"recall@{depth}" for depth in (1, 5, 10, 100)},
    "success_1": "success@1",
}
NAMES = ["ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "recall@100", "success@1", "first_rank"]


def rankings(*rows: list[int]) -> Rankings:
    filled = [row + [-1] * (DEPTH - len(row)) for row in rows]
    return Rankings(np.array(filled), np.where(np.array(filled) < 0, -np.inf, 0.0))


@pytest.mark.parametrize(
    ("ranked", "relevant", "expected"),
    [
        # the one answer first
        ([4, 1, 2], {4}, (1, 1, 1, 1, 1, 1, 1, 1)),
        # answers at 2 and 4 of 2: DCG 1/log2(3) + 1/log2(5) = 1.061606, ideal 1 + 1/log2(3) = 1.630930
        ([5, 7, 2, 3], {7, 3}, (1.061606 / 1.630930, 1 / 2, 0, 1, 1, 1, 0, 2)),
        # one of three answers found, at 3: DCG 1/log2(4) = .5, ideal 1 + 1/log2(3) + 1/2 = 2.130930
        ([5, 7, 2], {2, 8, 9}, (0.5 / 2.130930, 1 / 3, 0, 1 / 3, 1 / 3, 1 / 3, 0, 3)),
        # an answer at rank 11 counts for recall@100 and its rank alone
        ([*range(20, 30), 3], {3}, (0, 0, 0, 0, 0, 1, 0, 11)),
        # twelve answers, ten of them first: the ideal has room for ten
        ([*range(10)], {*range(12)}, (1, 1, 1 / 12, 5 / 12, 10 / 12, 10 / 12, 1, 1)),
        # nothing found at all
        ([], {3}, (0, 0, 0, 0, 0, 0, 0, 101)),
    ],
)
def test_one_query_by_hand(ranked: list[int], relevant: set[int], expected: tuple[float, ...]) -> None:
    values = metrics.per_query(rankings(ranked), [dict.fromkeys(relevant, 1)])
    assert list(values) == NAMES
    assert [float(column[0]) for column in values.values()] == pytest.approx(expected, abs=1e-6)


def test_means_are_over_the_rows_asked_for() -> None:
    values = metrics.per_query(rankings([1], [2, 1], [3]), [{1: 1}] * 3)
    assert metrics.means(values)["mrr@10"] == 0.5  # (1 + 1/2 + 0) / 3
    assert metrics.means(values, np.array([1, 2]))["mrr@10"] == 0.25


def test_no_queries_have_no_values() -> None:
    empty = Rankings(np.zeros((0, DEPTH), dtype=np.int64), np.zeros((0, DEPTH)))
    assert {column.shape for column in metrics.per_query(empty, []).values()} == {(0,)}


@pytest.mark.parametrize(
    ("ranked", "grades", "ndcg", "rest"),
    [
        # partly at 1, the answer at 2: DCG .5 + 1/log2(3) = 1.130930, ideal 1 + .5/log2(3) = 1.315465
        ([5, 7], {7: 1, 5: 0.5}, 1.130930 / 1.315465, (1 / 2, 0, 1, 1, 1, 0, 2)),
        # what answers partly and is not found lowers NDCG alone: ideal 1 + .5/log2(3)
        ([7, 2], {7: 1, 5: 0.5}, 1 / 1.315465, (1, 1, 1, 1, 1, 1, 1)),
        # a score of 3 after one of 1: DCG 1 + 3/log2(3) = 2.892789, ideal 3 + 1/log2(3) = 3.630930
        ([4, 9], {9: 3, 4: 1}, 2.892789 / 3.630930, (1, 1 / 2, 1, 1, 1, 1, 1)),
        # eleven partial answers do not push the whole one, at 11, out of the ideal
        ([*range(10), 30], {30: 1, **dict.fromkeys(range(11), 0.5)}, 2.271780 / 2.771780, (0, 0, 0, 0, 1, 0, 11)),
    ],
)
def test_graded_queries_by_hand(
    ranked: list[int], grades: dict[int, float], ndcg: float, rest: tuple[float, ...]
) -> None:
    """Partial answers count in NDCG, and nowhere else; the sum of ten discounts is 4.543559."""
    values = metrics.per_query(rankings(ranked), [grades])
    assert [float(column[0]) for column in values.values()] == pytest.approx([ndcg, *rest], abs=1e-6)


@pytest.mark.parametrize("kinds", [[1], [0.5, 1], [0.5, 1, 2, 5]])
@pytest.mark.parametrize("sections", [4, 9, 60, 300])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_trec_eval_ties_included(sections: int, seed: int, kinds: list[float]) -> None:
    random = np.random.default_rng(seed)
    queries, passages = 40, 2 * sections
    # Few distinct numbers, exact in binary, so that many scores are equal; ids sort unlike their numbers.
    vectors = random.integers(0, 3, (queries, 6)).astype(np.float32)
    table = random.integers(0, 3, (passages, 6)).astype(np.float32)
    names = [f"{'ZaéB'[number % 4]}{number}.md" for number in range(sections)]
    section_of = [*range(sections), *random.integers(0, sections, sections).tolist()]
    corpus = Corpus.from_passages([{"source": names[n], "section": "S", "title": "", "text": ""} for n in section_of])
    relevant = [
        random.choice(sections, random.integers(1, min(sections, 15) + 1), replace=False).tolist()
        for _ in range(queries)
    ]
    grades = [
        dict(zip(answers, [1, *random.choice(kinds, len(answers) - 1).tolist()], strict=True)) for answers in relevant
    ]

    ours = metrics.per_query(ranking.dense(vectors, table, corpus), grades)

    # trec_eval ranks by itself: it gets every section's score, the highest of its passages.
    scores = vectors @ table.T
    run = {
        str(query): {
            name: float(scores[query, [p for p, section in enumerate(section_of) if section == number]].max())
            for number, name in enumerate(corpus.sections)
        }
        for query in range(queries)
    }
    # trec_eval's grades are whole numbers; from 2 on they answer.
    qrels = {
        str(query): {corpus.sections[section]: int(2 * grade) for section, grade in graded.items()}
        for query, graded in enumerate(grades)
    }
    measures = {"ndcg_cut.10", "recall.1,5,10,100", "success.1", "recip_rank"}
    judged = pytrec_eval.RelevanceEvaluator(qrels, measures, relevance_level=2)
    theirs = judged.evaluate(run)
    ties = sum(len(set(row.values())) < len(row) for row in run.values())
    assert ties > queries / 4  # else the test would say nothing of ties
    for query in range(queries):
        expected = theirs[str(query)]
        for measure, name in TREC.items():
            assert math.isclose(ours[name][query], expected[measure], abs_tol=1e-6), (query, name)
        reciprocal = expected["recip_rank"] if expected["recip_rank"] >= 0.1 else 0.0  # ours is cut at 10
        assert math.isclose(ours["mrr@10"][query], reciprocal, abs_tol=1e-6)
        rank = 1 / expected["recip_rank"] if expected["recip_rank"] else math.inf
        assert ours["first_rank"][query] == (round(rank) if rank <= DEPTH else DEPTH + 1)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_sentence_transformers_evaluator(seed: int) -> None:
    """On rankings without ties: it breaks them by the id that sorts first, trec_eval by the one that sorts last."""
    random = np.random.default_rng(seed)
    queries, sections = int(random.integers(1, 40)), int(random.integers(2, 250))
    names = [f"s{number}" for number in range(sections)]
    relevant = [
        set(random.choice(sections, random.integers(1, min(sections, 15) + 1), replace=False).tolist())
        for _ in range(queries)
    ]
    ranked = [random.permutation(sections)[: random.integers(0, DEPTH + 1)].tolist() for _ in range(queries)]
    ours = metrics.means(metrics.per_query(rankings(*ranked), [dict.fromkeys(answers, 1) for answers in relevant]))
    evaluator = InformationRetrievalEvaluator(
        queries={str(query): "" for query in range(queries)},
        corpus=dict.fromkeys(names, ""),
        relevant_docs={str(query): {names[section] for section in relevant[query]} for query in range(queries)},
        accuracy_at_k=[1],
        precision_recall_at_k=[1, 5, 10, 100],
        mrr_at_k=[10],
        ndcg_at_k=[10],
        map_at_k=[],
    )
    theirs = evaluator.compute_metrics(
        [[{"corpus_id": names[section], "score": -float(rank)} for rank, section in enumerate(row)] for row in ranked]
    )
    expected = {
        "ndcg@10": theirs["ndcg@k"][10],
        "mrr@10": theirs["mrr@k"][10],
        **{f"recall@{depth}": theirs["recall@k"][depth] for depth in (1, 5, 10, 100)},
        "success@1": theirs["accuracy@k"][1],
    }
    assert {name: ours[name] for name in expected} == pytest.approx(expected, abs=1e-6)
