"""The passages that a model writes queries for: a few hundred teach as much of a corpus as all of it."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fieldtune.retrieval.near_duplicates import clusters, exact_copies, near_copies, union, words

_COPIES = 0.8  # Jaccard index of three-word shingles, from which two passages are one
_LOOKED_AT = 3  # times the number wanted: so many of the first are compared


def select_passages(passages: Sequence[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    """The first `count` passages in the order of `_ranked`, near copies once, as they stand in `passages`.

    None: all. So 300 are the beginning of 600, and neither the model nor the order of files changes one of them; a
    further document moves only the last ones. What was bought before is kept in the store.
    """
    if count is None or len(passages) <= count:
        return list(passages)
    rows = _ranked(passages)
    chosen: list[int] = []
    size = _LOOKED_AT * count
    while len(chosen) < count:
        chosen = _without_copies(passages, rows[:size])[:count]
        if size >= len(rows):
            break
        size *= 2
    return [passages[row] for row in sorted(chosen)]


def _ranked(passages: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows by the hash of their text, within documents in turn: first one of each document, then a second of each."""
    digest = [hashlib.sha256(passage["text"].encode()).hexdigest() for passage in passages]
    of_document: dict[str, list[int]] = defaultdict(list)
    for row, passage in enumerate(passages):
        of_document[passage["document"]].append(row)
    turn = {
        row: place
        for rows in of_document.values()
        for place, row in enumerate(sorted(rows, key=lambda row: (digest[row], passages[row]["id"])))
    }
    return sorted(turn, key=lambda row: (turn[row], digest[row], passages[row]["id"]))


def _without_copies(passages: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> list[int]:
    """These rows, of passages with nearly the same text only the first."""
    texts = words(passages[row]["text"] for row in rows)
    first = clusters(len(rows), union(exact_copies(texts), near_copies(texts, _COPIES)))
    return [row for place, row in enumerate(rows) if first[place] == place]
