"""Events → each person's judgements per query, what they agree on, and the rows of the table that `queries:` reads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fieldtune.corpus.passages import section_id
from fieldtune.corpus.unicode import normalised
from fieldtune.judging.journal import Event

Row = dict[str, Any]
_STATE: dict[str, "State"] = {"finish": "finished", "unanswered": "unanswered", "skip": "skipped"}
_KEPT_COLUMNS = ("split", "group")  # of a row that is written again

State = Literal["open", "finished", "unanswered", "skipped"]


@dataclass
class Sheet:
    """One person's judgements of one query."""

    grades: dict[str, Event] = field(default_factory=dict)  # section id → the last judgement of it
    state: State = "open"  # unanswered: the documents have no answer
    rest: list[str] = field(default_factory=list)  # ids of other sections that were shown and do not answer

    @property
    def complete(self) -> bool:
        return self.state in ("finished", "unanswered")

    def has(self, least: int) -> bool:
        """Tell if a section has at least this relevance."""
        return any(event.relevance >= least for event in self.grades.values())


@dataclass
class Sheets:
    """All judgements that are in force."""

    by_query: dict[str, dict[str, Sheet]] = field(default_factory=dict)  # query → person → sheet
    settled: dict[str, dict[str, Event]] = field(default_factory=dict)  # query → section id → what was settled

    def sheet(self, query: str, person: str) -> Sheet:
        """A person's sheet; an empty one if they have not begun."""
        return self.by_query.get(query, {}).get(person, Sheet())

    def complete(self, query: str) -> dict[str, Sheet]:
        """The complete sheets of a query, in the order in which they were begun."""
        return {person: sheet for person, sheet in self.by_query.get(query, {}).items() if sheet.complete}


def sheets(events: Iterable[Event]) -> Sheets:
    """The judgements of events that are `in_force`."""
    result = Sheets()
    for event in events:
        if event.action == "resume":
            for people in result.by_query.values():
                if event.person in people and people[event.person].state == "skipped":
                    people[event.person].state = "open"
        elif event.action == "settle":
            result.settled.setdefault(event.query, {})[section_id(event.source, event.section)] = event
        else:
            sheet = result.by_query.setdefault(event.query, {}).setdefault(event.person, Sheet())
            if event.action == "judge":
                sheet.grades[section_id(event.source, event.section)] = event
            sheet.rest = event.rest
            sheet.state = _STATE.get(event.action, "finished" if event.finished else "open")
    return result


@dataclass(frozen=True)
class Outcome:
    """A judged query as it is written: what was settled, otherwise what the first person who judged it says."""

    answers: list[Event]  # sections of relevance 1 or 2
    judged: tuple[str, ...] = ()  # ids of all sections that were judged, one by one or with the rest

    @property
    def answered(self) -> bool:
        """True if a section answers the query in full."""
        return any(event.relevance == 2 for event in self.answers)


def outcome(query: str, judged: Sheets) -> Outcome | None:
    """The outcome of a query; None if nobody has judged it to the end."""
    complete = judged.complete(query)
    if not complete:
        return None
    first = next(iter(complete.values()))
    grades = first.grades | judged.settled.get(query, {})
    answers = [event for event in grades.values() if event.relevance]
    return Outcome(answers, tuple(dict.fromkeys([*grades, *first.rest])))


@dataclass(frozen=True)
class Disagreement:
    """A section that two people judged differently, and that nobody has settled."""

    place: Event  # a judgement with the query and the section
    relevance: dict[str, int | None]  # person → 0, 1, 2; None: finished without judging it


def disagreements(judged: Sheets) -> list[Disagreement]:
    """The disagreements, in the order in which queries were begun."""
    result = []
    for query in judged.by_query:
        complete = judged.complete(query)
        places = {name: event for sheet in complete.values() for name, event in sheet.grades.items() if event.relevance}
        for name, place in places.items():
            relevance = {
                person: sheet.grades[name].relevance if name in sheet.grades else None
                for person, sheet in complete.items()
            }
            differ = len({value or 0 for value in relevance.values()}) > 1
            if differ and name not in judged.settled.get(query, {}):
                result.append(Disagreement(place, relevance))
    return result


def rows(query: str, judged: Outcome | None) -> list[Row]:
    """The rows of a query in the table: one per answer; `answered: false` alone if the documents have none.

    The first row has the ids of the sections that were `judged`, which show how far a rival's results were seen. The
    first section of a file may have no heading: it is named by its passage, since an empty section means the whole
    file.
    """
    if judged is None:
        return []
    seen = {"judged": list(judged.judged)} if judged.judged else {}
    if not judged.answers:
        return [{"query": query, "answered": False, **seen}]
    first, *rest = [
        {
            "query": query,
            **(
                {"source": event.source, "section": event.section}
                if event.section
                else {"passage_id": event.passage_id}
            ),
            "relevance": event.relevance,
        }
        for event in judged.answers
    ]
    return [{**first, **seen}, *rest]


def merged(table: str, rows_by_query: Mapping[str, Sequence[Row]]) -> str:
    """The text of a JSONL table with the rows of these queries replaced; all other lines stay to the byte.

    A query keeps its place in the table, and its `split`.
    """
    new = {normalised(query): list(of_query) for query, of_query in rows_by_query.items()}
    lines: list[str] = []
    for line in table.split("\n"):
        row = json.loads(line.lstrip("\ufeff")) if line.strip() else {}
        query = normalised(str(row.get("query", "")))
        if query not in new:
            lines.append(line)
            continue
        kept = {name: row[name] for name in _KEPT_COLUMNS if name in row}
        lines += [json.dumps({**each, **kept}, ensure_ascii=False) for each in new[query]]
        new[query] = []
    while lines and not lines[-1].strip():
        lines.pop()
    lines += [json.dumps(row, ensure_ascii=False) for of_query in new.values() for row in of_query]
    return "".join(f"{line}\n" for line in lines)
