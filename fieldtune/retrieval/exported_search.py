"""The search folder of an export: BM25's index, the passages' places, and how each system fuses its two halves.

search.json        the systems with their shares, the recommended one, and how words are made of a text
bm25/              the index, one folder a field, in bm25s's files
passages.parquet   `id`, `source`, `section` of each passage; `title`, `text` and `language` if they were asked for

The functions that rank here are those of `evaluate`, so that a system scores what its report says.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.passages import TextsOfRows, passage_text, section_id
from fieldtune.retrieval import bm25, ranking
from fieldtune.retrieval.ranking import Rankings
from fieldtune.runtime.errors import UserError

FOLDER = "search"
SETTINGS, BM25, PASSAGES = "search.json", "bm25", "passages.parquet"
PRECISIONS = {"float32": "vector", "int8": "vector_int8"}  # columns of vectors/passages.parquet
_ROWS = (
    512  # int8 vectors that are made float32 at once: in the processor's cache, and too few for BLAS to start threads
)
_READ = 65_536  # rows of a Parquet file that are read at once
_COLUMNS = ("id", "source", "section", "title", "text", "language")
_FIX = "run `dvc repro export`"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class System:
    """The shares of a system's score: model_share × model + (1 - model_share) × BM25, both normalised (`ranking.fuse`);
    BM25's is (1 - heading_share) × whole text + heading_share × headings.
    """

    model_share: float
    heading_share: float

    @property
    def needs_model(self) -> bool:
        return self.model_share > 0

    @property
    def needs_words(self) -> bool:
        return self.model_share < 1


@dataclass(frozen=True)
class Hit:
    """A section that was found, by its best passage."""

    row: int  # of the passages
    id: str  # of the passage
    source: str
    section: str
    score: float
    title: str | None  # None: texts were not exported
    text: str | None
    language: str | None  # of both; None: unknown, or not exported


def systems_of(model: str, model_share: float, heading_share: float) -> dict[str, System]:
    """The systems that an export can run. `model`: base or tuned, whichever it holds; `model_share`, its hybrid's."""
    systems = {model: System(1.0, 0.0), "bm25": System(0.0, 0.0)}
    if heading_share:
        systems["bm25_fields"] = System(0.0, heading_share)
    return systems | {"tuned_hybrid" if model == "tuned" else "hybrid": System(model_share, heading_share)}


def write(
    folder: Path, passages: Sequence[Mapping[str, Any]], systems: Mapping[str, System], recommended: str, *, texts: bool
) -> None:
    """Write the folder. `passages`: rows of passages.jsonl; `texts`: with their titles and texts."""
    folder.mkdir()
    bm25.build(TextsOfRows(passages, passage_text), folder / BM25)
    columns: dict[str, list[str]] = {name: [] for name in ("id", "source", "section")}
    if texts:
        columns |= {"title": [], "text": [], "language": []}
    for row in passages:
        values = {
            **row,
            "source": sys.intern(row["source"]),
            "section": section_id(row["source"], row["section"]),
            "language": row.get("language") or None,
        }
        for name, column in columns.items():
            column.append(values[name])
    files.write_table(folder / PASSAGES, columns)
    settings = {
        "recommended": recommended,
        "systems": {name: asdict(system) for name, system in systems.items()},
        "first": ranking.DEPTH,  # sections of each half that are fused
        "words": {"stop_words": bm25.STOP_WORDS, "stemmer": bm25.STEMMER, "k1": bm25.K1, "b": bm25.B},
    }
    files.write_json(folder / SETTINGS, settings)


class Table(Protocol):
    """The vectors of the passages."""

    def scores(self, query: Floats) -> Floats:
        """Cosines to a unit vector, or what ranks as they do: [passages]."""
        ...


class Float32Table:
    """Unit vectors in float32: 1.5 GB for a million passages of 384 numbers."""

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors

    def scores(self, query: Floats) -> Floats:
        scores: Floats = self._vectors @ query
        return scores


class Int8Table:
    """The same in int8, a quarter of the memory; the query stays in float32."""

    def __init__(self, vectors: npt.NDArray[np.int8]) -> None:
        self._vectors = vectors
        self._lengths = np.ones(len(vectors), dtype=np.float32)
        for rows, block in self._blocks():
            self._lengths[rows] = np.maximum(np.linalg.norm(block, axis=1), 1e-12)

    def scores(self, query: Floats) -> Floats:
        scores = np.empty(len(self._vectors), dtype=np.float32)
        for rows, block in self._blocks():
            scores[rows] = block @ query
        scores /= self._lengths
        return scores

    def _blocks(self) -> Iterator[tuple[slice, Floats]]:
        for start in range(0, len(self._vectors), _ROWS):
            yield slice(start, start + _ROWS), self._vectors[start : start + _ROWS].astype(np.float32)


class ExportedSearch:
    """The search folder and the vectors of an export, loaded."""

    def __init__(self, export: Path, dimension: int, precision: str = "float32") -> None:
        """`dimension`, the model's; `precision`, of the vectors: float32 or int8, if the export has it.

        Raises UserError if a file is missing, broken, or is not of this model.
        """
        folder = export / FOLDER
        settings = _settings(folder / SETTINGS)
        self.recommended: str = settings["recommended"]
        self.systems = {name: System(**shares) for name, shares in settings["systems"].items()}
        self._passages = _read(folder / PASSAGES)
        self._table, ids = _vectors(export / "vectors/passages.parquet", dimension, precision)
        if ids != self._passages["id"].combine_chunks():
            raise UserError(f"{export}: search/ and vectors/ are not of the same passages: {_FIX}")
        self.section_of, self.tie_order = _sections(self._passages["section"])
        self._bm25 = bm25.Bm25Index(folder / BM25)

    def __len__(self) -> int:
        return len(self.section_of)

    @property
    def has_texts(self) -> bool:
        """True if hits have titles and texts."""
        return "text" in self._passages.column_names

    def search(self, system: str, query: str, vector: Floats | None, top: int, source: str = "") -> list[Hit]:
        """The first `top` sections (100 at most) whose source begins with `source`, best first.

        `vector`: the query's unit vector, for a system that needs the model.
        """
        shares = self.systems[system]
        inside = self._inside(source)
        halves: list[tuple[Rankings, Floats]] = []
        if shares.needs_model:
            assert vector is not None
            cosines = self._table.scores(vector)
            if inside is not None:
                cosines[~inside] = -np.inf
            halves.append((ranking.by_scores(cosines, self), cosines))
        if shares.needs_words:
            scores = self._bm25.scores(query, shares.heading_share)
            if inside is not None:
                scores[~inside] = 0
            scores = np.where(scores > 0, scores, np.float32(-np.inf))
            halves.append((ranking.by_scores(scores, self), scores))
        ranked = halves[0][0]
        if len(halves) == 2:
            ranked = ranking.fuse(halves[0][0], halves[1][0], self, shares.model_share)
        return self._hits(ranked, [scores for _, scores in halves], top)

    def _inside(self, source: str) -> npt.NDArray[np.bool_] | None:
        """Mark the passages whose source begins so; None: all."""
        if not source:
            return None
        import pyarrow.compute as pc

        inside: npt.NDArray[np.bool_] = pc.starts_with(self._passages["source"], source).to_numpy()
        return inside

    def _hits(self, ranked: Rankings, halves: Sequence[Floats], top: int) -> list[Hit]:
        hits = []
        for section, score in zip(ranked.sections[0, :top].tolist(), ranked.scores[0, :top].tolist(), strict=True):
            if section < 0:
                break
            hits.append(self._hit(self._best_passage(section, halves), score))
        return hits

    def _best_passage(self, section: int, halves: Sequence[Floats]) -> int:
        """The section's passage that the model ranks first; BM25 if there is no model, or it ranks none of them."""
        rows = self._by_section[self._starts[section] : self._starts[section + 1]]
        scores = next((each[rows] for each in halves if (each[rows] > -np.inf).any()), halves[0][rows])
        return int(rows[int(scores.argmax())])

    @cached_property
    def _by_section(self) -> npt.NDArray[np.int64]:
        return np.argsort(self.section_of, kind="stable")

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(np.bincount(self.section_of, minlength=len(self.tie_order)))])

    def _hit(self, row: int, score: float) -> Hit:
        names = self._passages.column_names
        values: dict[str, Any] = {
            name: self._passages[name][row].as_py() if name in names else None for name in _COLUMNS
        }
        return Hit(row=row, score=score, **values)


def _settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path} not found, so there is nothing to search with: {_FIX}")
    settings: dict[str, Any] = files.read_json(path)
    return settings


def _read(path: Path, columns: Sequence[str] | None = None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} could not be loaded ({type(error).__name__}): {_FIX}") from error


def _vectors(path: Path, dimension: int, precision: str) -> tuple[Table, Any]:
    """The table of vectors, and the passages' ids. No more is in memory at a time than the vectors and a few rows."""
    import pyarrow.parquet as pq

    name = PRECISIONS[precision]
    ids = _read(path, ["id"])["id"].combine_chunks()
    file = pq.ParquetFile(path)
    if name not in file.schema_arrow.names:
        raise UserError(f"{path} has no {precision} vectors: set `export.{precision}_vectors` to true, and {_FIX}")
    size = getattr(file.schema_arrow.field(name).type, "list_size", None)
    if size != dimension:
        raise UserError(f"{path} has {size} dimensions, but the model has {dimension}: {_FIX}")
    vectors = np.empty((len(ids), dimension), dtype=precision)
    start = 0
    for batch in file.iter_batches(_READ, columns=[name]):
        numbers = batch.column(0).flatten().to_numpy(zero_copy_only=False)
        vectors[start : start + len(batch)] = numbers.reshape(-1, dimension)
        start += len(batch)
    return (Int8Table(vectors) if precision == "int8" else Float32Table(vectors)), ids


def _sections(column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each passage its section, as a number; of each section its rank among the sorted ids (`Corpus.tie_order`)."""
    import pyarrow.compute as pc

    encoded = column.combine_chunks().dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary).to_numpy()  # by bytes of UTF-8, which is by code points
    tie_order = np.empty(len(order), dtype=np.int64)
    tie_order[order] = np.arange(len(order))
    return encoded.indices.to_numpy().astype(np.int64), tie_order
