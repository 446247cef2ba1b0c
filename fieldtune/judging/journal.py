"""The journal of a judging: everything that each person pressed, in order, on disk before anybody is answered.

Nothing in it is ever changed: an undo is a line of its own. The table of judged queries is made of it.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin

from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError

ACTIONS = ("judge", "finish", "unanswered", "skip", "settle", "undo", "resume")
_REQUIRED = {"person", "action"}


@dataclass(frozen=True)
class Event:
    """One press of a key."""

    person: str
    action: str  # one of ACTIONS
    query: str = ""
    source: str = ""  # with `section`, the place that `judge` and `settle` are about
    section: str = ""
    passage_id: str = ""  # the first of the section's passages that were shown
    relevance: int = 0  # 0: no answer, 1: a part of it, 2: answers it
    finished: bool = False  # the judgement that was the query's last
    rest: list[str] = field(default_factory=list)  # ids of shown sections that the end of a query leaves unjudged

    def row(self) -> dict[str, Any]:
        """The line of the journal, without what a `judge` or an `undo` does not have."""
        judges = self.action in ("judge", "settle")
        values = asdict(self)
        return {name: value for name, value in values.items() if value or (judges and name == "relevance")}


def in_force(events: Sequence[Event]) -> list[Event]:
    """The events that were not undone, in order: `undo` takes back the person's last one that still counts."""
    kept: list[Event | None] = []
    places: dict[str, list[int]] = {}  # person → of the events that an undo would take back
    for event in events:
        own = places.setdefault(event.person, [])
        if event.action != "undo":
            own.append(len(kept))
            kept.append(event)
        elif own:
            kept[own.pop()] = None
    return [event for event in kept if event is not None]


class Journal:
    """The file, open for one process alone."""

    def __init__(self, path: Path) -> None:
        """Raises UserError if another process writes it, or a line is not an event.

        A last line without its end is of a machine that failed: nobody was answered, and it goes.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UserError(
                f"{path} is in use by another `fieldtune judge`: end that one, or give another --out"
            ) from (error)
        whole = path.read_bytes().rpartition(b"\n")[0]
        self._size = len(whole) + 1 if whole else 0
        self._file.truncate(self._size)
        try:
            self.events = [_event(f"{path}, line {number}", row) for number, row in files.read_rows(path)]
        except UserError:
            self._file.close()
            raise

    def append(self, event: Event) -> None:
        """Add an event; it is on disk when this returns. Raises OSError if it cannot be, and then it is not added."""
        line = json.dumps(event.row(), ensure_ascii=False).encode() + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(f"only a part of a line was written to {self._file.name}")
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(line)
        self.events.append(event)

    def close(self) -> None:
        """End the use of the file, and delete it if nobody has pressed anything."""
        if not self._size:
            Path(self._file.name).unlink(missing_ok=True)
        self._file.close()


def _event(where: str, row: dict[str, Any]) -> Event:
    kinds = {each.name: get_origin(each.type) or each.type for each in fields(Event)}
    right = _REQUIRED <= row.keys() <= kinds.keys() and all(type(row[name]) is kinds[name] for name in row)
    if not right or row["action"] not in ACTIONS or row.get("relevance", 0) not in (0, 1, 2):
        raise UserError(f"{where} is not a line that `fieldtune judge` wrote: restore it, or give another --out")
    return Event(**row)
