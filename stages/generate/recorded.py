"""Queries that were written before, each for a place in the documents."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s

from stages import files
from stages.errors import UserError
from stages.generate.provider import KINDS, Query

_Place = tuple[str, ...]


class Recorded:
    """Reads `query`, `kind` and a place from a JSONL file. The place is `text_sha256` (of a section's text, see
    `stages.text.section_hash`), `passage_id`, or `source` with `section` (its heading or slug); the first that
    is there counts.

    A query whose place is no longer there, or whose section has changed, is dropped. A query of a section that was
    cut goes to the piece that shares most words with it (by BM25).
    """

    name = "recorded"

    def __init__(self, file: Path) -> None:
        self.file = file

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        """Raises UserError that names the line for what cannot be read."""
        if not self.file.is_file():
            raise UserError(f"{self.file} is not there: the recorded queries of `generator: recorded`")
        pieces = _pieces(passages)
        kept: list[tuple[str, str, list[int]]] = []
        dropped = 0
        for number, row in files.read_rows(self.file):
            query = str(row.get("query") or "").strip()
            place = _place(row)
            if not query or row.get("kind") not in KINDS or place is None:
                raise UserError(
                    f"{self.file}, line {number}: `query`, `kind` ({', '.join(KINDS)}) and a place are needed: "
                    "`text_sha256`, or `passage_id`, or `source` and `section`"
                )
            if place in pieces:
                kept.append((query, row["kind"], pieces[place]))
            else:
                dropped += 1
        chosen = _best_pieces([query for query, _, _ in kept], [candidates for _, _, candidates in kept], passages)
        queries = [
            Query(passages[piece]["id"], query, kind, self.name)
            for (query, kind, _), piece in zip(kept, chosen, strict=True)
        ]
        return queries, {"recorded": len(kept), "recorded_dropped_section_changed": dropped}


def _place(row: Mapping[str, Any]) -> _Place | None:
    for names in (("text_sha256",), ("passage_id",), ("source", "section")):
        if all(row.get(name) for name in names):
            return (names[-1], *(str(row[name]) for name in names))
    return None


def _pieces(passages: Sequence[dict[str, Any]]) -> dict[_Place, list[int]]:
    """The passages of each place that a row may name."""
    pieces: dict[_Place, list[int]] = defaultdict(list)
    by_slug: dict[_Place, list[int]] = {}
    for number, passage in enumerate(passages):
        source = passage["source"]
        of_section = pieces["section", source, passage["section"]]
        if not of_section:  # the first piece: its id ends in the section's slug
            by_slug.setdefault(("section", source, passage["id"].removeprefix(f"{source}#")), of_section)
        of_section.append(number)
        pieces["passage_id", passage["id"]].append(number)
        pieces["text_sha256", passage["section_sha256"]].append(number)
    return by_slug | pieces


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
