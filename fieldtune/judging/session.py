"""A judging as the people in front of it see it: whose turn which query is, what a key does, what is shown next."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fieldtune.corpus import files, tables
from fieldtune.corpus.passages import section_id
from fieldtune.corpus.unicode import normalised
from fieldtune.judging import judgements, worth
from fieldtune.judging.journal import Event, Journal, in_force
from fieldtune.judging.judgements import Sheet, Sheets
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.shown_text import direction, marked
from fieldtune.runtime.console import printable

TWICE = 10  # every tenth query is judged by two people
_AHEAD = 10  # queries whose candidates are computed before they are shown
_CLAIM = 600.0  # seconds for which a query that was shown to one person is shown to nobody else
_HITS = 10  # sections that a search shows

View = dict[str, Any]  # what the page shows, as JSON


class Refused(Exception):
    """A press that has no effect now; the message is for the person."""


@dataclass(frozen=True)
class Press:
    """A key that a person presses."""

    action: str  # as in the journal
    query: str = ""
    passage_id: str = ""
    relevance: int = 0


@dataclass
class _Person:
    """The memory of a person until the server ends."""

    query: str = ""  # the one that was shown last
    at: float = 0.0  # seconds, when
    has_started: bool = False  # typed queries are complete: results may have been seen


class Session:
    """The judging of queries by several people, one request at a time."""

    def __init__(self, journal: Journal, out: Path, queries: Sequence[str], ranker: Ranker, typed: Path | None) -> None:
        """`queries` in the order of judging; `typed`: the file of those typed on the page, None: none are.

        Queries that the table `out` has by other means are not judged again. The table is brought up to date with the
        journal.
        """
        self._journal = journal
        self._out = out
        own = {normalised(event.query) for event in journal.events}
        judged = (
            {normalised(tables.cell(row, "query")) for _, row in tables.read(out)} - own if out.is_file() else set()
        )
        self.queries = [query for query in queries if normalised(query) not in judged]
        self._ranker = ranker
        self._typed = typed
        self._people: dict[str, _Person] = {}
        self._written: dict[str, list[judgements.Row]] = {}
        self._judged = Sheets()
        self._update()
        ranker.want(self.queries[:_AHEAD])

    # What is shown

    @property
    def was_opened(self) -> bool:
        """True once the page was sent something to show."""
        return bool(self._people)

    def view(self, person: str) -> View:
        """Everything that the page shows to a person."""
        seen = self._people.setdefault(person, _Person())
        view: View = {
            "person": person,
            "counts": self.counts() | self._own_counts(person),
            "loaded": self._ranker.loaded.is_set(),
        }
        view["enough"] = worth.advice(view["counts"]["answered"])
        view["disagreements"] = self._disagreements() if view["loaded"] else []
        if self._typed is not None and not seen.has_started:
            return view | {"phase": "typing", "typed": self._unjudged()}
        query = self._current(person)
        self._ranker.want([q for q in (query, *self._upcoming(person)) if q])
        if query is None:
            return view | {"phase": "done"}
        shown = {"text": printable(query), "key": query, "dir": direction(query)}
        view |= {"query": shown, "number": self.queries.index(query) + 1, "of": len(self.queries)}
        if self._ranker.pool(query) is None:
            return view | {"phase": "waiting"}
        seen.query, seen.at, seen.has_started = query, time.monotonic(), True
        sheet = self._judged.sheet(query, person)
        return view | {"phase": "judging", "candidates": self._candidates(query, sheet)}

    async def search(self, text: str, by: Any, query: str) -> list[View]:
        """Sections for a text that a person searches for, by `words` or `meaning`, with the text's words marked."""
        import asyncio

        if not self._ranker.loaded.is_set():
            raise Refused("the models are loading: search again in a moment")
        rows = await asyncio.wrap_future(self._ranker.search(text, by, _HITS))
        return [self._candidate([row], f"{text} {query}", None) for row in rows]

    def counts(self) -> dict[str, int]:
        """The number of judged queries, and of those with an answer, with a part of one, and without one."""
        outcomes = [outcome for query in self._judged.by_query if (outcome := judgements.outcome(query, self._judged))]
        return {
            "judged": len(outcomes),
            "answered": sum(outcome.answered for outcome in outcomes),
            "partly": sum(bool(outcome.answers) and not outcome.answered for outcome in outcomes),
            "unanswered": sum(not outcome.answers for outcome in outcomes),
        }

    # What is done

    def start(self, person: str) -> None:
        """Show results to a person: from now on they type no queries."""
        self._people.setdefault(person, _Person()).has_started = True

    def add_queries(self, person: str, lines: Sequence[str]) -> None:
        """Add queries that a person types, each once; they are on disk when this returns.

        Raises Refused once the person has seen results: those would influence the wording.
        """
        if self._typed is None or self._people.setdefault(person, _Person()).has_started:
            raise Refused("queries are typed before results are seen: run `fieldtune judge` again to type more")
        known = {normalised(query) for query in self.queries}
        new = [query for line in lines if (query := " ".join(line.split()))]
        new = [query for query in dict.fromkeys(new) if normalised(query) not in known]
        with self._typed.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"query": query}, ensure_ascii=False) + "\n" for query in new)
            file.flush()
            os.fsync(file.fileno())
        self.queries += new

    def press(self, person: str, press: Press) -> None:
        """Do what a key does; it is on disk when this returns. Raises Refused if the key has no effect now."""
        if press.action == "undo":
            self._undo(person)
        elif press.action == "resume":
            self._append(Event(person, "resume"))
        elif press.action == "settle":
            self._settle(person, press)
        else:
            if press.query != self._people.setdefault(person, _Person()).query or press.query != self._current(person):
                raise Refused("this query was judged in another window: here is the next one")
            sheet = self._judged.sheet(press.query, person)
            self._append(self._event(person, press, sheet))

    # How

    def _event(self, person: str, press: Press, sheet: Sheet) -> Event:
        if press.action == "judge":
            event = self._place(person, press)
            grades = sheet.grades | {section_id(event.source, event.section): event}
            whole = all(name in grades for name in self._pool_sections(press.query))
            return replace(event, finished=whole and any(grade.relevance == 2 for grade in grades.values()))
        rest = [name for name in self._pool_sections(press.query) if name not in sheet.grades]
        if press.action == "finish" and not sheet.has(1):
            raise Refused("nothing answers it yet: search (/), say that there is no answer (n), or skip it (s)")
        if press.action == "unanswered" and sheet.has(1):
            raise Refused("a passage answers it at least in part: judge that one 0 first, or press Enter")
        return Event(person, press.action, press.query, rest=[] if press.action == "skip" else rest)

    def _pool_sections(self, query: str) -> list[str]:
        """The ids of the pooled sections."""
        return [section_id(each.source, each.section) for each in self._ranker.pool(query) or []]

    def _place(self, person: str, press: Press) -> Event:
        """The event of judging the section of a passage."""
        if (row := self._ranker.row_of.get(press.passage_id)) is None:
            raise Refused("this passage is not in the documents")
        passage = self._ranker.passages[row]
        place = passage["source"], passage["section"], press.passage_id
        return Event(person, press.action, press.query, *place, press.relevance)

    def _settle(self, person: str, press: Press) -> None:
        event = self._place(person, press)
        open_places = [each.place for each in judgements.disagreements(self._judged) if each.place.query == press.query]
        if not any((place.source, place.section) == (event.source, event.section) for place in open_places):
            raise Refused("this disagreement is settled already")
        self._append(event)

    def _undo(self, person: str) -> None:
        own = [event for event in in_force(self._journal.events) if event.person == person]
        if not own:
            raise Refused("there is nothing to undo")
        self._append(Event(person, "undo"))
        if own[-1].action not in ("settle", "resume"):
            self._people.setdefault(person, _Person()).query = own[-1].query

    def _append(self, event: Event) -> None:
        self._journal.append(event)
        self._update()

    def _update(self) -> None:
        """Bring judgements and table up to date with the journal."""
        self._judged = judgements.sheets(in_force(self._journal.events))
        queries = dict.fromkeys(event.query for event in self._journal.events if event.query)
        rows = {query: judgements.rows(query, judgements.outcome(query, self._judged)) for query in queries}
        if rows == self._written:
            return
        table = self._out.read_bytes().decode("utf-8") if self._out.is_file() else ""
        if (new := judgements.merged(table, rows)) != table:
            files.write_text(self._out, new)
        self._written = rows

    def _current(self, person: str) -> str | None:
        """The query that is this person's turn: the one on their screen, one that they began, or the next."""
        last = self._people.setdefault(person, _Person()).query
        if last and self._judged.sheet(last, person).state == "open":
            return last
        begun = (query for query in self.queries if self._judged.by_query.get(query, {}).get(person))
        started = (query for query in begun if self._judged.sheet(query, person).state == "open")
        return next(started, None) or next(iter(self._upcoming(person)), None)

    def _upcoming(self, person: str) -> list[str]:
        """The next queries that need this person."""
        now = time.monotonic()
        claimed = Counter(
            each.query
            for name, each in self._people.items()
            if name != person and now - each.at < _CLAIM and self._judged.sheet(each.query, name).state == "open"
        )
        upcoming = []
        for number, query in enumerate(self.queries, start=1):
            if self._judged.sheet(query, person).state != "open":
                continue
            if len(self._judged.complete(query)) + claimed[query] < (2 if number % TWICE == 0 else 1):
                upcoming.append(query)
            if len(upcoming) == _AHEAD:
                break
        return upcoming

    def _unjudged(self) -> list[str]:
        return [query for query in self.queries if not self._judged.complete(query)]

    def _candidates(self, query: str, sheet: Sheet) -> list[View]:
        """The pooled sections, then those that the person has picked from a search."""
        pool = self._ranker.pool(query) or []
        grades = {name: event.relevance for name, event in sheet.grades.items()}
        in_pool = self._pool_sections(query)
        views = [
            self._candidate(each.passages, query, grades.get(name)) for name, each in zip(in_pool, pool, strict=True)
        ]
        for name, event in sheet.grades.items():
            if name not in in_pool and event.passage_id in self._ranker.row_of:
                row = self._ranker.row_of[event.passage_id]
                views.append(self._candidate([row], query, event.relevance) | {"picked": True})
        return views

    def _candidate(self, rows: Sequence[int], query: str, relevance: int | None) -> View:
        first = self._ranker.passages[rows[0]]
        path = [first["source"], *(first.get("headings") or ([first["section"]] if first["section"] else []))]
        return {
            "id": first["id"],
            "title": printable(first["title"] or first["section"] or first["source"]),
            "path": [printable(name) for name in path],
            "passages": [_passage(self._ranker.passages[row], query) for row in rows],
            "relevance": relevance,
        }

    def _disagreements(self) -> list[View]:
        views = []
        for each in judgements.disagreements(self._judged):
            if (row := self._ranker.row_of.get(each.place.passage_id)) is not None:
                query = {
                    "key": each.place.query,
                    "text": printable(each.place.query),
                    "dir": direction(each.place.query),
                }
                candidate = self._candidate([row], each.place.query, None)
                views.append({"query": query, "candidate": candidate, "relevance": each.relevance})
        return views

    def _own_counts(self, person: str) -> dict[str, int]:
        own = [people[person] for people in self._judged.by_query.values() if person in people]
        return {
            "own": sum(sheet.complete for sheet in own),
            "skipped": sum(sheet.state == "skipped" for sheet in own),
        }


def _passage(passage: Mapping[str, Any], query: str) -> View:
    text = passage["text"]
    return {"text": marked(text, query), "lang": passage.get("language") or "", "dir": direction(text)}
