"""The corpus's vectors as a Parquet file that vector stores read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_passage_vectors(
    path: Path, ids: Sequence[str], texts: Sequence[str], vectors: npt.NDArray[np.float32]
) -> None:
    """Write columns `id`, `text_sha256` and `vector` (float32, fixed-size list), one row a passage.

    `text_sha256` is the hex digest of the text that the encoder sees, in UTF-8 and without the prompt: what changed
    since can be told without the texts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    table = pa.table(
        {
            "id": list(ids),
            "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )
    pq.write_table(table, path, use_dictionary=False)  # no value comes twice
