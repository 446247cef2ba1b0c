"""The measure of a checkpoint on dev, by hand on one-hot vectors."""

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.judged_queries import Judged
from stages.train.dev import DevEvaluator


def test_a_query_that_is_a_passage_is_left_out_of_its_own_ranking() -> None:
    corpus = Corpus(["a", "b", "c"], np.arange(3), ["text a", "text b", "text c"])
    judged = Judged(["q0", "q1"], ["text a", "other"], [{1: 1}, {1: 1}], np.arange(2), {})
    queries = np.array([[0.8, 0.6, 0.0], [0.8, 0.6, 0.0]], dtype=np.float32)  # both find a, then b, the answer
    evaluator = DevEvaluator(judged, np.array([0, -1]), corpus, np.arange(3), bf16=False, batch_size=2)
    measured = evaluator.measure(queries, np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(measured.values, [1.0, 1 / np.log2(3)])
    assert measured.score == 0.815465
