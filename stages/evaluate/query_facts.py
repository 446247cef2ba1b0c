"""Facts about each test query: its kind and language, whether its answer was trained on, the share of its heading it
repeats.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.retrieval.judged_queries import Judged, row_of
from fieldtune.retrieval.words import heading_overlap

REAL = "real"  # the kind of every real query
TITLES = {
    "real_seen": "real queries whose answer was trained on",
    "real_unseen": "real queries whose answer was not trained on",
}


@dataclass(frozen=True)
class QueryFacts:
    """Facts in the order of the judged queries."""

    kinds: list[str]  # REAL, or the generated query's kind
    seen: npt.NDArray[np.bool_]  # a passage of one of its answers is in the training set
    overlaps: npt.NDArray[np.float64]  # the highest share of an answer's heading that it repeats, 0 to 1
    languages: Sequence[str | None] = ()  # requested for a generated query; None: unknown, or a real query

    def parts(self, sets: Mapping[str, npt.NDArray[np.int64]]) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of `real_seen` and `real_unseen`; none if all the real queries are one of them."""
        rows = sets.get("real", np.array([], dtype=np.int64))
        seen = self.seen[rows]
        return {"real_seen": rows[seen], "real_unseen": rows[~seen]} if 0 < seen.sum() < len(rows) else {}

    def by_kind(self, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of each kind, kinds sorted by name."""
        return _grouped(self.kinds, rows)

    def by_language(self, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of each language, sorted by tag; none if there are fewer than two."""
        rows_of = _grouped(self.languages, rows) if self.languages else {}
        return rows_of if len(rows_of) > 1 else {}


def _grouped(names: Sequence[str | None], rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
    """The rows of each name, sorted by it."""
    rows_of: dict[str, list[int]] = {}
    for row in rows.tolist():
        if (name := names[row]) is not None:
            rows_of.setdefault(name, []).append(row)
    return {name: np.array(rows_of[name], dtype=np.int64) for name in sorted(rows_of)}


def describe(
    judged: Judged,
    corpus: Corpus,
    passages: Sequence[Mapping[str, Any]],
    generated: Sequence[Mapping[str, Any]],
    real: Sequence[RealQuery],
    trained: AbstractSet[str],
) -> QueryFacts:
    """Describe the judged queries.

    `passages` are the corpus's, `generated` rows of queries.jsonl, `trained` the ids of the training passages.
    """
    wanted = set().union(*judged.relevant)
    answers: dict[int, Mapping[str, Any]] = {}  # the first passage of each
    trained_sections = set()
    for row, section in enumerate(corpus.section_of.tolist()):
        if section in wanted:
            passage = passages[row]
            answers.setdefault(section, passage)
            if passage["id"] in trained:
                trained_sections.add(section)
    kinds, overlaps = [], []
    languages: list[str | None] = []
    for query_id, text, relevant in zip(judged.ids, judged.texts, judged.relevant, strict=True):
        if query_id.startswith("r"):
            kinds.append(REAL)
            languages.append(None)
            overlaps.append(real[row_of(query_id)].overlap)
        else:
            kinds.append(generated[row_of(query_id)]["kind"])
            languages.append(generated[row_of(query_id)].get("language"))
            overlaps.append(heading_overlap(text, (answers[section] for section in relevant)))
    seen = [not answers.isdisjoint(trained_sections) for answers in judged.relevant]
    return QueryFacts(kinds, np.array(seen, dtype=np.bool_), np.array(overlaps, dtype=np.float64), languages)
