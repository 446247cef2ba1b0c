"""Qrels of queries made by hand."""

from typing import Any

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from stages.dataset.inputs import Inputs
from stages.dataset.qrels import Judgement, generated_judgements, qrels_columns, real_judgements
from stages.dataset.queries import TrainingQueries, TrainingQuery
from stages.dataset.split import SplitQueries

NONE: Any = None  # vectors: nothing here reads them
PASSAGES: list[dict[str, Any]] = [{"id": name} for name in ("a1", "b1", "a2", "c1")]
CORPUS = Corpus(["A", "B", "C"], np.array([0, 1, 0, 2]), ["text"] * 4)


def test_a_row_for_each_passage_of_each_answer() -> None:
    judgements = [Judgement("real", "r0", 1, {1: 0.5, 0: 1}), Judgement("dev", "q0", 2, {2: 1})]
    columns = qrels_columns(judgements, PASSAGES, CORPUS, [7, 8, 9])
    assert list(columns) == ["set", "query_id", "section", "passage_id", "relevance", "group"]
    assert list(zip(*columns.values(), strict=True)) == [
        ("real", "r0", "A", "a1", 1, 8),
        ("real", "r0", "A", "a2", 1, 8),
        ("real", "r0", "B", "b1", 0.5, 8),
        ("dev", "q0", "C", "c1", 1, 9),
    ]


def test_without_judgements_the_columns_are_empty() -> None:
    assert set(map(len, qrels_columns([], PASSAGES, CORPUS, [0, 1, 2]).values())) == {0}


def test_real_queries_of_test_and_dev_are_answered_by_all_copies() -> None:
    real = [
        RealQuery("easy", "test", ["B", "A"], ["b1", "a1"], 0.51),
        RealQuery("hard", "test", ["A"], ["a1"], 0.5),
        RealQuery("trained on", "train", ["A"], ["a1"], 0),
        RealQuery("chooses", "dev", ["C"], ["c1"], 0),
    ]
    inputs = Inputs(PASSAGES, CORPUS, [], real, [], NONE, NONE, NONE)
    assert list(real_judgements(inputs, [{0, 2}, {1}, {0, 2}])) == [
        Judgement("real", "r000000", 1, {0: 1, 1: 1, 2: 1}),
        Judgement("real", "r000001", 0, {0: 1, 2: 1}),
        Judgement("real_hard", "r000001", 0, {0: 1, 2: 1}),
        Judgement("dev", "r000003", 2, {0: 1, 2: 1}),
    ]


def test_generated_queries_that_are_held_out_and_then_those_of_dev() -> None:
    rows = [TrainingQuery(f"q{row}", "text", "task", row, row % 3, {row % 3}) for row in range(4)]
    queries = SplitQueries(TrainingQueries(rows[:3], rows[3:]), {}, {"train": [0], "dev": [1, 3], "test": [2]})
    assert list(generated_judgements(queries)) == [
        Judgement("synthetic", "q2", 2, {2: 1}),
        Judgement("dev", "q1", 1, {1: 1}),
        Judgement("dev", "q3", 0, {0: 1}),
    ]
