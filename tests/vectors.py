"""Folders of vectors as the stages write and read them, made without a store."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors, write_vectors
from fieldtune.models import encoder
from fieldtune.runtime import paths

Vectors = npt.NDArray[np.float32]


def write_encoded(
    model: SentenceTransformer, folder: Path, passages: Sequence[str], queries: Sequence[str], batch_size: int = 8
) -> None:
    """Write the vectors of texts by a model, in float32."""
    for name, texts, kind in ((PASSAGES, passages, "document"), (QUERIES, queries, "query")):
        vectors = encoder.encode(model, texts, kind, bf16=False, batch_size=batch_size)  # type: ignore[arg-type]
        write_vectors(folder, name, texts, vectors)


def read_rows(root: Path, folder: Path, rows: str) -> Vectors:
    """The vectors of `passages`, `queries` (generated) or `real`, row by row of their files below `root`."""
    if rows == "passages":
        texts = [passage_text(row) for row in files.read_jsonl(root / paths.PASSAGES)]
        return read_vectors(root / folder, PASSAGES, texts)
    file = {"queries": paths.QUERIES, "real": paths.REAL}[rows]
    return read_vectors(root / folder, QUERIES, [row["query"] for row in files.read_jsonl(root / file)])
