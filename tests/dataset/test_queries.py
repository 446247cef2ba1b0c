"""The queries that may be trained on, by hand."""

from typing import cast

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.vectors import StoredVectors
from stages.dataset.answers import Copies
from stages.dataset.inputs import Inputs
from stages.dataset.queries import TrainingQuery, training_queries

# Sections 0 and 1 are copies; section 2 holds a copy of passage 1, and nothing else of its section.
INPUTS = Inputs(
    passages=[{"id": name} for name in ("a1", "a2", "b1", "c1")],
    corpus=Corpus(["A", "B", "C"], np.array([0, 0, 1, 2]), ["text"] * 4),
    generated=[
        {"query": "first", "kind": "task", "passage_id": "c1"},
        {"query": "second", "kind": "question", "passage_id": "a2"},
    ],
    real=[
        RealQuery("tested", "test", ["A"], ["a1"], 0),
        RealQuery("trained on", "train", ["B", "C"], ["b1", "c1"], 0),
    ],
    log=[],
    query_vectors=np.array([[1, 0], [2, 0]], dtype=np.float32),
    real_vectors=np.array([[3, 0], [4, 0]], dtype=np.float32),
    passage_vectors=cast(StoredVectors, None),  # nothing here reads them
)
COPIES = Copies(
    passages=np.empty((0, 2), dtype=np.int64),
    linked=set(),
    alike=[{0, 1}, {0, 1}, {2}],
    holding=[{0}, {0, 2}, {1}, {2}],
)


def test_each_query_has_its_passage_and_all_sections_that_answer_it() -> None:
    queries = training_queries(INPUTS, COPIES)
    assert queries.generated == [
        TrainingQuery("q000000", "first", "task", 3, 2, {2}),
        TrainingQuery("q000001", "second", "question", 1, 0, {0, 1, 2}),
    ]
    # A real one is there for each of its answers; what is tested is never trained on.
    assert queries.real == [
        TrainingQuery("r000001", "trained on", "real", 2, 1, {0, 1}),
        TrainingQuery("r000001", "trained on", "real", 3, 2, {2}),
    ]
    assert queries.all == queries.generated + queries.real


def test_vectors_are_in_the_order_of_all_queries() -> None:
    assert training_queries(INPUTS, COPIES).vectors(INPUTS)[:, 0].tolist() == [1, 2, 4, 4]
