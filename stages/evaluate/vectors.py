"""The quality that shorter and coarser vectors lose and the storage that they save: the table for deployment."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import StoredVectors
from fieldtune.models import int8_vectors
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.ranking import DerivedVectors, Rankings, Table

_ROWS = 65_536  # passages that are read at once
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
    queries: Vectors, passages: Vectors | StoredVectors, corpus: Corpus, grades: Sequence[metrics.Grades]
) -> list[VectorScore]:
    """NDCG@10 of the queries with vectors of all, half, a quarter … of the numbers, in each precision.

    `queries` [queries, dimension] and `passages` are unit vectors; the first numbers of each are kept and scaled to
    unit length again (Matryoshka; Kusupati et al. 2022).
    """
    rows = []
    for dimension in _dimensions(passages.shape[1]):
        short = _cut(queries, dimension)
        table = DerivedVectors(passages, partial(_cut, dimension=dimension))
        rankings = {
            "float32": ranking.dense(short, table, corpus),
            "int8": _int8(short, table, corpus),
            "binary": _binary(short, table, corpus),
        }
        for precision, ranked in rankings.items():
            ndcg = metrics.means(metrics.per_query(ranked, grades))["ndcg@10"]
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


def _int8(queries: Vectors, passages: Table, corpus: Corpus) -> Rankings:
    """Both as they are exported, ranked by cosine."""
    kept = int8_vectors.common_range([int8_vectors.ranges(passages[rows]) for rows in _blocks(passages)])

    def coarse(vectors: Vectors) -> Vectors:
        return _cut(int8_vectors.int8(vectors, kept).astype(np.float32), vectors.shape[1])

    return ranking.dense(coarse(queries), _derived(passages, coarse), corpus)


def _binary(queries: Vectors, passages: Table, corpus: Corpus) -> Rankings:
    """Candidates chosen by bits against bits, ranked by the whole query against bits (Yamada et al. 2021)."""
    bits = _derived(passages, _bits)
    # For numbers that are 1 and -1 the product counts the equal bits: the Hamming distance.
    candidates, _ = ranking.nearest(_bits(queries), bits, _CANDIDATES)
    return ranking.rescored(queries, bits, candidates, corpus)


def _bits(vectors: Vectors) -> Vectors:
    return np.where(vectors > 0, np.float32(1), np.float32(-1))


def _derived(passages: Table, derive: Callable[[Vectors], Vectors]) -> DerivedVectors:
    if isinstance(passages, DerivedVectors):
        before = passages.derive
        return DerivedVectors(passages.source, lambda vectors: derive(before(vectors)))
    return DerivedVectors(passages, derive)


def _blocks(passages: Table) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, len(passages), _ROWS)]
