"""The corpus's vectors as a Parquet file that vector stores read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldtune.models import int8_vectors

RANGES = "int8_ranges.npy"


def write_passage_vectors(
    path: Path,
    ids: Sequence[str],
    texts: Sequence[str],
    vectors: npt.NDArray[np.float32],
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

    columns = {
        "id": list(ids),
        "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
        "vector": column(vectors.astype(np.float32, copy=False)),
    }
    if int8:
        ranges = int8_vectors.ranges(vectors)
        np.save(path.with_name(RANGES), ranges)
        columns["vector_int8"] = column(int8_vectors.int8(vectors, ranges))
    if binary:
        columns["vector_binary"] = column(np.asarray(quantize_embeddings(vectors, "ubinary")))
    # Bytes have 256 values, and take four bytes each without a dictionary; of the others no value repeats.
    coarse = [f"{name}.list.element" for name in ("vector_int8", "vector_binary") if name in columns]
    pq.write_table(pa.table(columns), path, use_dictionary=coarse or False)
