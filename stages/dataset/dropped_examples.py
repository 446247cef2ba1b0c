"""Examples of generated queries that are dropped, each with its reason in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from fieldtune.corpus.unicode import normalised
from stages.dataset.filters import REASONS
from stages.dataset.queries import TrainingQuery
from stages.dataset.round_trip import RoundTrip
from stages.dataset.sampling import draw

_EXAMPLES = 5  # per reason
_WHY_SAME_AS_A_REAL_QUERY = "a real query has the same words, and queries of the test must not be trained on"

_Passages = Sequence[Mapping[str, Any]]  # rows of passages.jsonl


def dropped_examples(
    dropped: Mapping[int, str], queries: Sequence[TrainingQuery], passages: _Passages, round_trip: RoundTrip
) -> dict[str, list[dict[str, str]]]:
    """Up to five queries of different words per reason: `query`, `passage_id`, `title`, and `why` in words.

    `dropped` is what `drop_reasons` gives, by row of `queries`.
    """
    first_rows: dict[str, dict[str, int]] = {reason: {} for reason in REASONS}
    for row in sorted(dropped):
        first_rows[dropped[row]].setdefault(normalised(queries[row].text), row)
    chosen = {reason: draw(list(rows.values()), _EXAMPLES) for reason, rows in first_rows.items() if rows}
    same_words: dict[str, list[TrainingQuery]] = {
        normalised(queries[row].text): [] for rows in chosen.values() for row in rows
    }
    for query in queries:
        if (same := same_words.get(normalised(query.text))) is not None:
            same.append(query)

    def example(reason: str, row: int) -> dict[str, str]:
        query = queries[row]
        same = same_words[normalised(query.text)]
        match reason:
            case "ambiguous":
                why = _why_ambiguous(query, same, passages)
            case "repeated":
                why = _why_repeated(query, same[0], passages)
            case "round_trip":
                why = round_trip.explain(row, query)
            case _:
                why = _WHY_SAME_AS_A_REAL_QUERY
        return {
            "query": query.text,
            "passage_id": _passage_id(query, passages),
            "title": str(passages[query.passage]["title"]),
            "why": why,
        }

    return {reason: [example(reason, row) for row in rows] for reason, rows in chosen.items()}


def _why_ambiguous(query: TrainingQuery, same: Sequence[TrainingQuery], passages: _Passages) -> str:
    """`same` are all queries with the same words."""
    elsewhere: dict[int, TrainingQuery] = {}
    for other in same:
        if other.section not in query.answers:
            elsewhere.setdefault(other.section, other)
    first, *others = elsewhere.values()
    return f"also written for {_passage_id(first, passages)}" + (f" and {len(others):,} more" if others else "")


def _why_repeated(query: TrainingQuery, first: TrainingQuery, passages: _Passages) -> str:
    """`first` is the first query with the same words."""
    if first.passage == query.passage:
        return "written twice for this passage"
    return f"already written for {_passage_id(first, passages)}, which answers the same queries"


def _passage_id(query: TrainingQuery, passages: _Passages) -> str:
    return str(passages[query.passage]["id"])
