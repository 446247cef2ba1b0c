"""The folder of vectors that a stage writes: those of the corpus and of queries by one model."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.passages import TextsOfRows, passage_text
from fieldtune.corpus.vectors import PASSAGES, QUERIES, write_vectors
from fieldtune.models import processes
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.encoder import Kind


def write_all(
    encode: CachedEncoder,
    folder: Path,
    passages: Sequence[Mapping[str, Any]],
    queries: Sequence[str],
    query_groups: Sequence[str] | None = None,
) -> tuple[int, int]:
    """Write the vectors of rows of passages.jsonl and of queries, which share a shard with others of their group.

    Returns how many passages, and how many queries, were not in the store. Of several processes that run the stage
    together each encodes its share, and the first writes.
    """
    documents = [sys.intern(row["document"]) for row in passages]
    texts = TextsOfRows(passages, passage_text)
    with files.replace_dir(folder) if processes.rank() == 0 else nullcontext() as temporary:

        def write(name: str, kind: Kind, texts: Sequence[str], groups: Sequence[str] | None) -> int:
            before = encode.encoded
            vectors = encode.encode(texts, kind, label=f"encoding {name}", distributed=True)
            if temporary is not None:
                write_vectors(temporary, name, texts, vectors, groups)
            return encode.encoded - before

        encoded = write(PASSAGES, "document", texts, documents), write(QUERIES, "query", queries, query_groups)
    processes.wait()
    return encoded
