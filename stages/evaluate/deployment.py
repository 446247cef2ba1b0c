"""The systems for a deployment: what each scores, holds in memory, takes for a query, and which files it needs.

Sizes are those of this corpus. Milliseconds are an estimate from sizes, since a stopwatch would give another report on
another day: those of one query on two cores, measured by `benchmarks.serving --search` and scaled.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fieldtune.retrieval.systems import SYSTEMS

_MODEL_MS = 6.0  # to encode a query in int8, for a model of
_MODEL_BYTES = 90_900_000  # in float32: all-MiniLM-L6-v2
_VECTORS_MS = 80.0  # to score a gigabyte of vectors in float32, and to take the first hundred
_INDEX_MS = 70.0  # to score a gigabyte of BM25's index, of which a query reads its words' parts
_INT8 = 4  # of float32's bytes

MODEL, VECTORS, SEARCH = "onnx/", "vectors/", "search/"


@dataclass(frozen=True)
class Sizes:
    """Bytes: of the model in float32, of the corpus's vectors in float32, of BM25's index by field."""

    model: int
    vectors: int
    whole: int
    headings: int


@dataclass(frozen=True)
class Deployment:
    """A system as it would be run."""

    system: str
    ndcg: float
    memory: int  # bytes: model in int8, vectors in float32, index
    ms: float  # a query, about
    files: tuple[str, ...]  # of the export

    def json(self) -> dict[str, Any]:
        """The row of metrics.json."""
        return {**asdict(self), "files": list(self.files)}


def dense_ms(model: int, vectors: int) -> float:
    """About how many milliseconds a query takes: `model` bytes encode it, and `vectors` bytes are searched."""
    return model / _MODEL_BYTES * _MODEL_MS + vectors / 1e9 * _VECTORS_MS


def dense_memory(model: int, vectors: int) -> int:
    """Bytes of memory for a model of so many bytes in float32, which is held in int8, and for vectors."""
    return model // _INT8 + vectors


def deployments(
    means: Mapping[str, Mapping[str, float]], sizes: Sizes, shares: Mapping[str, float], heading_share: float
) -> list[Deployment]:
    """A row for each system. `means`: its mean metrics; `shares`: the model's, of both hybrids."""
    model_share = {"base": 1.0, "tuned": 1.0, "bm25": 0.0, "bm25_fields": 0.0, **shares}
    rows = []
    for system in SYSTEMS:
        share = model_share[system]
        headings = heading_share if system != "bm25" else 0.0
        index = (sizes.whole + (sizes.headings if headings else 0)) if share < 1 else 0
        vectors = sizes.vectors if share > 0 else 0
        model = sizes.model // _INT8 if share > 0 else 0
        ms = dense_ms(model * _INT8, vectors) + index / 1e9 * _INDEX_MS
        files = (*((MODEL, VECTORS) if share > 0 else ()), SEARCH)
        rows.append(Deployment(system, means[system]["ndcg@10"], model + vectors + index, round(ms, 1), files))
    return rows
