"""The quality that shorter and coarser vectors lose and the storage that they save: the table for deployment."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.models import int8_vectors
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.ranking import Rankings

_LEAST = 32  # numbers of a vector
_CANDIDATES = 4 * ranking.DEPTH  # passages chosen by their bits, then scored with the whole query
PRECISIONS = {"float32": 4.0, "int8": 1.0, "binary": 1 / 8}  # bytes of a number

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VectorScore:
    """A way to store the tuned model's vectors."""

    dimension: int
    precision: str  # of PRECISIONS
    ndcg: float
    bytes_per_million: int  # passages

    def json(self) -> dict[str, Any]:
        """The row of metrics.json."""
        return asdict(self)


def vector_scores(
    queries: Vectors, passages: Vectors, corpus: Corpus, relevant: Sequence[set[int]]
) -> list[VectorScore]:
    """NDCG@10 of the queries with vectors of all, half, a quarter … of the numbers, in each precision.

    `queries` [queries, dimension] and `passages` are unit vectors; the first numbers of each are kept and scaled to
    unit length again (Matryoshka; Kusupati et al. 2022).
    """
    rows = []
    for dimension in _dimensions(passages.shape[1]):
        short, table = _cut(queries, dimension), _cut(passages, dimension)
        rankings = {
            "float32": ranking.dense(short, table, corpus),
            "int8": _int8(short, table, corpus),
            "binary": _binary(short, table, corpus),
        }
        for precision, ranked in rankings.items():
            ndcg = metrics.means(metrics.per_query(ranked, relevant))["ndcg@10"]
            size = int(1_000_000 * dimension * PRECISIONS[precision])
            rows.append(VectorScore(dimension, precision, ndcg, size))
    return rows


def _dimensions(whole: int) -> list[int]:
    dimensions = [whole]
    while dimensions[-1] % 2 == 0 and dimensions[-1] // 2 >= _LEAST and len(dimensions) < 4:
        dimensions.append(dimensions[-1] // 2)
    return dimensions


def _cut(vectors: Vectors, dimension: int) -> Vectors:
    first = vectors[:, :dimension]
    lengths = np.linalg.norm(first, axis=1, keepdims=True)
    unit: Vectors = np.divide(first, lengths, out=np.zeros_like(first), where=lengths > 0)
    return unit


def _int8(queries: Vectors, passages: Vectors, corpus: Corpus) -> Rankings:
    """Both as they are exported, ranked by cosine."""
    kept = int8_vectors.ranges(passages)
    coarse, table = (int8_vectors.int8(vectors, kept).astype(np.float32) for vectors in (queries, passages))
    return ranking.dense(_cut(coarse, coarse.shape[1]), _cut(table, table.shape[1]), corpus)


def _binary(queries: Vectors, passages: Vectors, corpus: Corpus) -> Rankings:
    """Candidates chosen by bits against bits, ranked by the whole query against bits (Yamada et al. 2021)."""
    bits = np.where(passages > 0, 1, -1).astype(np.float32)
    # For numbers that are 1 and -1 the product counts the equal bits: the Hamming distance.
    candidates, _ = ranking.nearest(np.where(queries > 0, 1, -1).astype(np.float32), bits, _CANDIDATES)
    return ranking.rescored(queries, bits, candidates, corpus)
