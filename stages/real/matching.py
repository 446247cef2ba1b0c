"""Rows of real queries → distinct queries with the sections that answer them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldtune.corpus.judgements import ANSWER, grade_of, is_answered
from fieldtune.corpus.passages import section_id
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.tables import Row, cell
from fieldtune.corpus.unicode import normalised
from fieldtune.retrieval.words import heading_overlap, overlap
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import NAMES, Places
from stages.real.splits import split_of

_LISTED = 200  # rows without a place that are listed
_WITH_CANDIDATES = 20  # of them, since candidates take time to find
_SAME_WORDS = 0.5  # of a query's word stems, in the section with its id: ids that count rows are equal by chance


@dataclass
class Matched:
    """The rows whose place was found, and those that name none or one that was not."""

    queries: list[RealQuery] = field(default_factory=list)  # those with an answer in the documents
    log: list[str] = field(default_factory=list)  # distinct queries without one
    unanswered: list[str] = field(default_factory=list)  # those of the log that these documents are said not to answer
    partly: int = 0  # other queries of the log, with answers that all are partial
    matched_rows: int = 0  # that name a place which was found
    unmatched: list[dict[str, Any]] = field(default_factory=list)  # rows: where, query, place, reason, candidates
    unmatched_rows: int = 0


@dataclass
class _Query:
    text: str  # as its first row spells it
    split: str
    where: str  # the row that names the split
    id: str = ""  # as the first row with one has it
    answers: dict[str, int] = field(default_factory=dict)  # section → its passage that fits best
    grades: dict[str, float] = field(default_factory=dict)  # section → grade, of partial answers too
    overlap: float | None = None
    judged: set[str] = field(default_factory=set)  # sections
    in_log: bool = False  # if it has no answer
    answered: str = ""  # a row with an answer
    unanswered: str = ""  # a row that says that there is none


def match(rows: Iterable[Row], passages: Sequence[dict[str, Any]], documents: str = "") -> Matched:
    """Join the rows of each query and find their places; `documents` is the folder that the passages came from.

    Raises UserError that names the row: without a query, with an unknown split or relevance, with an overlap that is
    not a share, if a query has another split than in an earlier row, since a query has only one use, and if it has an
    answer and `answered: false`. Queries that differ only in case or white space are the same.
    """
    places = Places(passages, documents)
    queries: dict[str, _Query] = {}
    matched = Matched()
    for where, row in rows:
        if reason := cell(row, "no_query"):
            _add_unmatched(matched, where, row, places, reason)
            continue
        query = _query(queries, where, row)
        grade = grade_of(where, row)
        hits = places.find(row) if grade else None
        if hits is None:
            query.in_log = True
        elif hits:
            matched.matched_rows += 1
            _add_answers(query, grade, _answers(query.text, hits, places, passages))
        else:
            _add_unmatched(matched, where, row, places)
        if isinstance(judged := row.get("judged"), list):  # as `fieldtune judge` writes it
            query.judged |= set(map(str, judged))
        _check_answered(query, where, is_answered(where, row), hits is not None and grade >= ANSWER)
        if overlap := cell(row, "overlap"):
            query.overlap = max(query.overlap or 0.0, _share(overlap, f"{where}: overlap"))
    for query in queries.values():
        if query.answers:
            matched.queries.append(_real_query(query, places, passages))
        elif query.in_log or query.grades:
            _add_to_log(matched, query)
    return matched


def _query(queries: dict[str, _Query], where: str, row: Mapping[str, Any]) -> _Query:
    """The query of a row, new in `queries` if no earlier row has it."""
    text = " ".join(cell(row, "query").split())
    if not text:
        raise UserError(f"{where}: no `query`: every row needs one, and the answer's place: {', '.join(NAMES)}")
    split = split_of(where, row)
    query = queries.setdefault(normalised(text), _Query(text, split, where))
    query.id = query.id or cell(row, "query_id")
    if query.split != split:
        raise UserError(
            f"{where}: this query is in the split {split}, but in {query.split} at {query.where}: choose one, "
            "since a query that was trained on cannot be the test"
        )
    return query


def _add_unmatched(matched: Matched, where: str, row: Mapping[str, Any], places: Places, reason: str = "") -> None:
    matched.unmatched_rows += 1
    if len(matched.unmatched) < _LISTED:
        matched.unmatched.append(
            {
                "where": where,
                "query": " ".join(cell(row, "query").split()),
                "place": {name: cell(row, name) for name in (*NAMES, "section") if cell(row, name)},
                "reason": reason or places.why_not(row),
                "candidates": [] if reason or len(matched.unmatched) >= _WITH_CANDIDATES else places.nearest(row),
            }
        )


def _answers(query: str, hits: Sequence[int], places: Places, passages: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """A section → the passage of it that fits the query best."""
    pieces: dict[str, list[int]] = {}
    for row in hits:
        pieces.setdefault(section_id(passages[row]["source"], passages[row]["section"]), []).append(row)
    return {section: places.best(query, rows) for section, rows in pieces.items()}


def _add_answers(query: _Query, grade: float, best: Mapping[str, int]) -> None:
    """Add the sections of a row, by their best passages; of several grades of a section the highest counts."""
    for section, passage in best.items():
        query.grades[section] = max(grade, query.grades.get(section, 0))
        if grade >= ANSWER:
            query.answers[section] = passage


def _check_answered(query: _Query, where: str, answered: bool, names_answer: bool) -> None:
    """Note what a row says of its query: that nothing answers it, or where its answer is. Raises UserError for both."""
    if not answered:
        query.unanswered = where
    if names_answer:
        query.answered = where
    if query.answered and query.unanswered:
        raise UserError(
            f"{where}: this query has an answer at {query.answered}, but `answered: false` at {query.unanswered}: "
            "remove one of the two"
        )


def _add_to_log(matched: Matched, query: _Query) -> None:
    matched.log.append(query.text)
    if query.unanswered:
        matched.unanswered.append(query.text)
    elif query.grades:
        matched.partly += 1


def _own_section(query: _Query, places: Places, passages: Sequence[Mapping[str, Any]]) -> str:
    """The section that has the query's id and at least half of its words, so that it is the query itself; otherwise
    "". BEIR goes by the id alone, which fails if queries and documents both are numbered from 0.
    """
    pieces = [passages[row] for row in places.find({"passage_id": query.id}) or ()]
    if not pieces:
        return ""
    text = " ".join([pieces[0]["title"], *(piece["text"] for piece in pieces)])
    same = overlap(text, query.text) >= _SAME_WORDS
    return section_id(pieces[0]["source"], pieces[0]["section"]) if same else ""


def _real_query(query: _Query, places: Places, passages: Sequence[Mapping[str, Any]]) -> RealQuery:
    answers = [passages[row] for row in query.answers.values()]
    return RealQuery(
        query=query.text,
        split=query.split,
        sections=list(query.answers),
        passages=[answer["id"] for answer in answers],
        overlap=heading_overlap(query.text, answers) if query.overlap is None else query.overlap,
        judged=sorted(query.judged),
        grades=query.grades if any(grade != 1 for grade in query.grades.values()) else {},
        own=_own_section(query, places, passages),
    )


def _share(text: str, name: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise UserError(f"{name} is {text}: it must be a number from 0 to 1, or empty")
    return share
