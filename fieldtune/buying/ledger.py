"""The ledger of what is bought: SQLite, append-only, on disk before anything relies on it, shared by all processes.

It lies in `.fieldtune/`, outside of every output. What is bought is a row under the key of its request; a key that has
a usable one is never asked for again. Money is reserved before a request is sent and settled with what it brought in
one transaction, so that no number of processes passes the budget. What a killed process had in flight stays reserved,
since it may have been billed.

While a run buys, it holds the lock of a file in `runs/`, which the kernel frees when its process ends in whatever
way. So a host name that changes and a process id that is used again tell nothing wrong, and machines and containers
that share the folder see one another's runs, wherever they see the locks by which SQLite itself shares the file.
"""

import asyncio
import fcntl
import secrets
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from fieldtune.buying.money import usd
from fieldtune.runtime import state
from fieldtune.runtime.errors import UserError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reservations (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, scope TEXT NOT NULL, amount INTEGER NOT NULL,
    run INTEGER NOT NULL, batch INTEGER, lost INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS reservations_key ON reservations (key);
CREATE INDEX IF NOT EXISTS reservations_batch ON reservations (batch);
CREATE TABLE IF NOT EXISTS spent (scope TEXT PRIMARY KEY, settled INTEGER NOT NULL, reserved INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS money_reserved AFTER INSERT ON reservations BEGIN
    INSERT INTO spent VALUES (new.scope, 0, new.amount) ON CONFLICT DO UPDATE SET reserved = reserved + new.amount;
END;
CREATE TRIGGER IF NOT EXISTS money_freed AFTER DELETE ON reservations BEGIN
    UPDATE spent SET reserved = reserved - old.amount WHERE scope = old.scope;
END;
"""
_WAIT_FOR_OTHERS = 60.0  # seconds for another process's transaction
_GATHER = 0.005  # seconds; a disk takes about as long for one transaction, whatever is in it
_AT_ONCE = 500  # keys in one query


Outcome = int | Literal["bought", "elsewhere", "budget"]


class Ledger(ABC):
    """Opens the file, or makes it. One connection, used by one thread at a time."""

    file: ClassVar[str]  # its name in `.fieldtune/`
    schema: ClassVar[str]  # of the table of what is bought; its trigger adds each cost to `spent.settled`

    def __init__(self, path: Path | None = None) -> None:
        """Raises UserError where the file cannot be used."""
        self.path = path or state.root() / self.file
        self.name = f"{self.path.parent.name}/{self.path.name}"
        try:
            self._db = sqlite3.connect(
                self.path, timeout=_WAIT_FOR_OTHERS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=TRUNCATE")  # a WAL cannot be shared by machines
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA + self.schema)
        except sqlite3.Error as error:
            raise UserError(f"{self.name}: {error}") from error
        self._runs = self.path.parent / "runs"
        self._run: int | None = None

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def run(self) -> Iterator[None]:
        """The time in which something is bought: what is reserved in it is under way, for other runs, until it ends."""
        self._runs.mkdir(exist_ok=True)
        self._run = secrets.randbits(62)  # never one that was used before
        file = self._runs / str(self._run)
        with file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                file.unlink()
                self._run = None

    def transaction(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all of `works` in one transaction, on disk when this returns."""
        results = self.begin(works)
        self.end()
        return results

    def begin(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all of `works` in one transaction; `end` puts it on disk."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                return [work() for work in works]
            except BaseException:
                self._db.rollback()
                raise
        except sqlite3.Error as error:
            raise UserError(f"{self.name}: {error}") from error

    def end(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db.rollback()
            raise UserError(f"{self.name}: {error}") from error

    # What follows and changes something belongs inside `transaction`; what reserves, inside `run`.

    @abstractmethod
    def has(self, key: str) -> bool:
        """True if what is bought under a key is here, and usable."""

    def reserve(self, key: str, scope: str, amount: int, budget: int, batch: int | None = None) -> Outcome:
        """Reserve money for a request: the reservation's number, or why there is none: what it brings is here, another
        process or a batch is about to get it, or the budget does not hold it.
        """
        if self.has(key):
            return "bought"
        for run, in_batch in self._db.execute("SELECT run, batch FROM reservations WHERE key = ? AND NOT lost", (key,)):
            if in_batch is not None or self._is_alive(run):
                return "elsewhere"
        if amount and sum(self.spent(scope)) + amount > budget:
            return "budget"
        number = self._db.execute(
            "INSERT INTO reservations (key, scope, amount, run, batch) VALUES (?, ?, ?, ?, ?)",
            (key, scope, amount, self._run, batch),
        ).lastrowid
        assert number is not None
        return number

    def clear(self, reservation: int) -> bool:
        """End a reservation whose own cost stands for it from now on; False if it was ended before."""
        return bool(self._db.execute("DELETE FROM reservations WHERE number = ?", (reservation,)).rowcount)

    def release(self, reservation: int) -> None:
        """Give back what was reserved for a request that was not billed."""
        self.clear(reservation)

    def lose(self, reservation: int) -> None:
        """Note that a request may have been billed, without a reply: its money stays reserved."""
        self._db.execute("UPDATE reservations SET lost = 1 WHERE number = ?", (reservation,))

    def _is_alive(self, run: int) -> bool:
        """True if a run is still going on, here or on another machine."""
        if run == self._run:
            return True
        try:
            with (self._runs / str(run)).open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    # What follows only reads.

    def spent(self, scope: str) -> tuple[int, int]:
        """Nanodollars that a prompt has cost for the replies that are here, and that are reserved besides."""
        row = self._db.execute("SELECT settled, reserved FROM spent WHERE scope = ?", (scope,)).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def budget_reached(self, scope: str, bought_for: str, budget: str) -> UserError:
        """The error that ends a run; `bought_for` names what was paid for, `budget` the setting with its value."""
        settled, reserved = self.spent(scope)
        unclear = f", {usd(reserved)} reserved for requests that may have been billed" if reserved else ""
        return UserError(f"the budget is reached: {usd(settled)} spent on {bought_for}{unclear}, of {budget}")

    def lost_requests(self, scope: str) -> tuple[int, int]:
        """Requests that may have been billed, as their process was killed or the reply did not arrive, and the most
        that they can have cost.
        """
        rows = self._db.execute("SELECT run, lost, amount, batch FROM reservations WHERE scope = ?", (scope,))
        amounts = [
            amount
            for run, lost, amount, batch in rows.fetchall()
            if lost or (batch is None and not self._is_alive(run))
        ]
        return len(amounts), sum(amounts)


_Work = tuple[Callable[[], Any], asyncio.Future[Any]]


class Committer:
    """Writes for many tasks at once: what they hand in while one transaction is written goes into the next."""

    def __init__(self, store: Ledger) -> None:
        self._store = store
        self._waiting: list[_Work] = []
        self._writing: asyncio.Task[None] | None = None

    def __call__(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do `work` inside a transaction, after all that was handed in before; its result, once it is on disk. Where it
        cannot be written, the future raises UserError, and nothing else is lost by that.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return future

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER)
            works, self._waiting = self._waiting, []
            try:
                await self._write_together(works)
            except UserError as error:  # of the file, and so of all
                _fail(works, error)
            except Exception:
                # Each alone, so that what cannot be written takes no other with it.
                for one in works:
                    try:
                        await self._write_together([one])
                    except Exception as error:
                        kind = type(error).__name__  # its message may hold text of a reply
                        _fail([one], UserError(f"{self._store.name}: a row cannot be written ({kind})"))

    async def _write_together(self, works: Sequence[_Work]) -> None:
        results = self._store.begin([work for work, _ in works])
        # Only what waits for the disk is done beside the loop: more would fight with it for the interpreter.
        await asyncio.to_thread(self._store.end)
        for (_, future), result in zip(works, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(works: Sequence[_Work], error: UserError) -> None:
    for _, future in works:
        if not future.done():
            future.set_exception(error)


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    """The keys in lists short enough for one query."""
    iterator = iter(keys)
    while chunk := list(islice(iterator, _AT_ONCE)):
        yield chunk


def marks(values: Sequence[str]) -> str:
    """A question mark for each value of a query."""
    return ",".join("?" * len(values))
