"""Queries that were written before, each for a section's exact text."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s

from stages import files
from stages.errors import UserError
from stages.generate.provider import Query


class Recorded:
    """Reads `query`, `kind` and `text_sha256` (of the section's text) from a JSONL file.

    A query whose section is no longer there, or has changed, is dropped. A query of a section that was cut goes to
    the piece that shares most words with it (by BM25).
    """

    name = "recorded"

    def __init__(self, file: Path) -> None:
        self.file = file

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        if not self.file.is_file():
            raise UserError(f"{self.file} is not there: the recorded queries of `generator: recorded`")
        pieces: dict[str, list[int]] = defaultdict(list)
        for number, passage in enumerate(passages):
            pieces[passage["section_sha256"]].append(number)
        rows = list(files.read_jsonl(self.file))
        kept = [row for row in rows if row["text_sha256"] in pieces]
        chosen = _best_pieces([row["query"] for row in kept], [pieces[row["text_sha256"]] for row in kept], passages)
        queries = [
            Query(passages[piece]["id"], row["query"], row["kind"], self.name)
            for row, piece in zip(kept, chosen, strict=True)
        ]
        return queries, {"recorded": len(kept), "recorded_dropped_section_changed": len(rows) - len(kept)}


def _best_pieces(
    queries: Sequence[str], candidates: Sequence[list[int]], passages: Sequence[dict[str, Any]]
) -> list[int]:
    """For each query, which of its candidate passages answers it best; the first where words do not tell."""
    several = [i for i, pieces in enumerate(candidates) if len(pieces) > 1]
    chosen = [pieces[0] for pieces in candidates]
    if not several:
        return chosen
    index = bm25s.BM25()
    index.index(bm25s.tokenize([p["text"] for p in passages], show_progress=False), show_progress=False)
    for i in several:
        tokens = bm25s.tokenize([queries[i]], return_ids=False, show_progress=False)[0]
        scores = index.get_scores(tokens) if tokens else None
        if scores is not None:
            chosen[i] = max(candidates[i], key=lambda piece: (float(scores[piece]), -piece))
    return chosen
