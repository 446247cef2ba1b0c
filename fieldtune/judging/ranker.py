"""Candidates computed ahead of the person who judges, on a thread of their own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from fieldtune.judging.candidates import Candidate, SearchBy, Systems

Passages = Sequence[Mapping[str, Any]]  # rows of passages.jsonl
Load = Callable[[], tuple[Passages, Systems]]


class Ranker:
    """Pools of candidates, and searches. One thread does all: what a model keeps belongs to the thread that opened it.

    Searches wait for one pool at most, since pools are computed one by one.
    """

    def __init__(self, load: Load, top: int) -> None:
        """`load` runs on the thread after `start`."""
        self.passages: Passages = ()
        self.row_of: dict[str, int] = {}  # passage id → row
        self.failure: Exception | None = None  # of `load` or a ranking, after which nothing is done
        self.loaded = threading.Event()
        self._load_systems = load
        self._has_started = False
        self._systems: Systems | None = None
        self._top = top
        self._pools: dict[str, list[Candidate]] = {}
        self._wanted: Sequence[str] = ()
        self._idle = False  # until all is loaded
        self._lock = threading.Lock()  # of the two above
        self._thread = ThreadPoolExecutor(1, "ranker")

    def start(self) -> None:
        """Load passages and models, the first time that this is called."""
        if not self._has_started:
            self._has_started = True
            self._submit(self._load)

    def pool(self, query: str) -> list[Candidate] | None:
        """The candidates of a query; None if they are not computed yet."""
        return self._pools.get(query)

    def want(self, queries: Sequence[str]) -> None:
        """Compute the pools of these queries, the first one first, instead of those wanted before."""
        with self._lock:
            self._wanted = queries
            if not self._idle:
                return
            self._idle = False
        self._submit(self._advance)

    def search(self, text: str, by: SearchBy, top: int) -> "Future[list[int]]":
        """The best passages for a text, as rows of `passages`."""
        return self._thread.submit(self._search, text, by, top)

    def close(self) -> None:
        """Compute nothing more; what is being computed ends first."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _load(self) -> None:
        self.passages, self._systems = self._load_systems()
        self.row_of = {passage["id"]: row for row, passage in enumerate(self.passages)}
        self.loaded.set()
        self._advance()

    def _search(self, text: str, by: SearchBy, top: int) -> list[int]:
        assert self._systems is not None  # loaded before anything else that the thread does
        return self._systems.search(text, by, top)

    def _advance(self) -> None:
        """Compute the first pool that is wanted and missing, then queue up again, behind searches that wait."""
        with self._lock:
            query = next((query for query in self._wanted if query not in self._pools), None)
            self._idle = query is None
        if query is not None and self._systems is not None:
            (self._pools[query],) = self._systems.pools([query], self._top)
            self._submit(self._advance)

    def _submit(self, work: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            self._thread.submit(self._guarded, work)

    def _guarded(self, work: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            work()
        except Exception as error:
            self.failure = error
