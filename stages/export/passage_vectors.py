"""The corpus's vectors as a Parquet file that vector stores read."""

import hashlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldtune.models import int8_vectors
from fieldtune.retrieval.ranking import Table

RANGES = "int8_ranges.npy"
_ROWS = 1 << 20  # passages that are written at once: a row group, as pyarrow cuts a table
_RANGES = 65_536  # passages whose ranges are found at once


def write_passage_vectors(
    path: Path,
    ids: Sequence[str],
    texts: Sequence[str],
    vectors: Table,
    *,
    int8: bool = False,
    binary: bool = False,
) -> None:
    """Write columns `id`, `text_sha256` and `vector` (float32, fixed-size list), one row per passage.

    `text_sha256` is the hex digest of the text that the encoder sees, in UTF-8 and without the prompt: it shows what
    has changed since, without the texts.

    `int8` adds the column `vector_int8` and, beside the file, RANGES, float32 [2, dimension]; `binary` adds
    `vector_binary`, uint8 [dimension / 8, rounded up], a bit per number, the first number's highest. They are what
    sentence-transformers' `quantize_embeddings` gives for `int8` with these ranges, and for `ubinary`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sentence_transformers.util import quantize_embeddings

    def column(numbers: npt.NDArray[np.generic]) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(numbers).reshape(-1)), numbers.shape[1])

    ranges = None
    if int8:
        ranges = int8_vectors.common_range([int8_vectors.ranges(vectors[rows]) for rows in _blocks(len(ids), _RANGES)])
        np.save(path.with_name(RANGES), ranges)

    def table(rows: slice) -> pa.Table:
        numbers = vectors[rows].astype(np.float32, copy=False)
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts[rows]]
        columns = {"id": list(ids[rows]), "text_sha256": hashes, "vector": column(numbers)}
        if ranges is not None:
            columns["vector_int8"] = column(int8_vectors.int8(numbers, ranges))
        if binary:
            columns["vector_binary"] = column(np.asarray(quantize_embeddings(numbers, "ubinary")))
        return pa.table(columns)

    parts = (table(rows) for rows in _blocks(len(ids), _ROWS))
    first = next(parts)
    # Bytes have 256 values, and take four bytes each without a dictionary; of the others no value repeats.
    coarse = [f"{name}.list.element" for name in ("vector_int8", "vector_binary") if name in first.column_names]
    with pq.ParquetWriter(path, first.schema, use_dictionary=coarse or False) as writer:
        for part in chain([first], parts):
            writer.write_table(part)


def _blocks(count: int, size: int) -> list[slice]:
    """Slices of all rows; one at least."""
    return [slice(start, start + size) for start in range(0, max(1, count), size)]
