"""Shorter and coarser vectors: worked out by hand, and against sentence-transformers' own quantization."""

import numpy as np
import numpy.typing as npt
import pytest
from sentence_transformers.util.quantization import quantize_embeddings

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics, ranking
from stages.evaluate import vectors
from stages.evaluate.vectors import vector_scores


def unit(rows: npt.NDArray[np.float64]) -> vectors.Vectors:
    scaled: vectors.Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


NUMBERS = np.random.default_rng(0)
PASSAGES = unit(NUMBERS.normal(size=(300, 128)))
QUERIES = unit(PASSAGES[:40] + 0.15 * NUMBERS.normal(size=(40, 128)))
CORPUS = Corpus.from_passages([{"source": "d", "section": str(n), "title": "", "text": ""} for n in range(300)])
GRADES = [{row: 1} for row in range(40)]


def test_every_size_and_precision_with_its_storage() -> None:
    result = vector_scores(QUERIES, PASSAGES, CORPUS, GRADES)
    assert [(row.dimension, row.precision, row.bytes_per_million) for row in result] == [
        (128, "float32", 512_000_000),
        (128, "int8", 128_000_000),
        (128, "binary", 16_000_000),
        (64, "float32", 256_000_000),
        (64, "int8", 64_000_000),
        (64, "binary", 8_000_000),
        (32, "float32", 128_000_000),
        (32, "int8", 32_000_000),
        (32, "binary", 4_000_000),
    ]
    whole = metrics.means(metrics.per_query(ranking.dense(QUERIES, PASSAGES, CORPUS), GRADES))["ndcg@10"]
    assert result[0].ndcg == whole
    assert result[1].ndcg == pytest.approx(whole, abs=0.02)
    assert result[0].ndcg > result[3].ndcg > result[6].ndcg > result[8].ndcg  # nothing here was trained to be cut


def test_a_cut_vector_is_its_first_numbers_at_unit_length() -> None:
    table: vectors.Vectors = np.array([[3 / 13, 4 / 13, 12 / 13], [0, 0, 1]], dtype=np.float32)
    assert vectors._cut(table, 2).tolist() == [pytest.approx([0.6, 0.8]), [0, 0]]


@pytest.mark.parametrize(
    ("whole", "dimensions"), [(384, [384, 192, 96, 48]), (1024, [1024, 512, 256, 128]), (33, [33])]
)
def test_which_sizes(whole: int, dimensions: list[int]) -> None:
    assert vectors._dimensions(whole) == dimensions


def test_int8_is_what_is_exported_of_passages_and_queries() -> None:
    greatest = float(np.abs(PASSAGES).max())
    ranges = np.array([[-greatest] * 128, [greatest] * 128])  # one for all numbers
    coarse, table = (
        np.asarray(quantize_embeddings(rows, "int8", ranges=ranges), np.float64) for rows in (QUERIES, PASSAGES)
    )
    cosines = coarse @ table.T / np.outer(np.linalg.norm(coarse, axis=1), np.linalg.norm(table, axis=1))
    result = vectors._int8(QUERIES, PASSAGES, CORPUS)
    assert result.sections[:, :10].tolist() == np.argsort(-cosines, axis=1)[:, :10].tolist()
    np.testing.assert_allclose(result.scores[:, :10], -np.sort(-cosines, axis=1)[:, :10], atol=1e-5)


def test_bits_choose_and_the_whole_query_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    passages = np.array([[0.1, 0.9], [0.9, -0.1], [-0.9, 0.1]], dtype=np.float32)  # bits ++, +-, -+
    queries = np.array([[0.2, -0.98], [0.9, 0.3]], dtype=np.float32)
    corpus = Corpus.from_passages([{"source": "d", "section": s, "title": "", "text": ""} for s in "abc"])
    result = vectors._binary(queries, passages, corpus)
    # query 1: a .2 - .98, b .2 + .98, c -.2 - .98; query 2: a 1.2, b .6, c -.6
    assert result.sections[0, :3].tolist() == [1, 0, 2]
    assert result.scores[0, :3].tolist() == pytest.approx([1.18, -0.78, -1.18], abs=1e-6)
    assert result.sections[1, :3].tolist() == [0, 1, 2]
    monkeypatch.setattr(vectors, "_CANDIDATES", 1)
    assert vectors._binary(queries, passages, corpus).sections[:, :2].tolist() == [[1, -1], [0, -1]]
