"""The store of bought replies: SQLite, append-only, on disk before anything relies on it, shared by all processes.

It lies in `.fieldtune/`, outside of every output. A row is one reply, under the key of its request
(`stages.generate.prompt`); a key with a usable reply is never asked again. Money is reserved before a request is
sent and settled with its reply in one transaction, so that no number of processes passes the budget. What a killed
process had in flight stays reserved, since it may have been billed.

While a run buys, it holds the lock of a file in `runs/`, which the kernel frees when its process ends in whatever
way. So a host name that changes and a process id that is used again tell nothing wrong, and machines and containers
that share the folder see one another's runs, wherever they see the locks by which SQLite itself shares the file.
"""

import asyncio
import fcntl
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from fieldtune.runtime import state
from fieldtune.runtime.errors import UserError
from stages.generate.money import USD

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, scope TEXT NOT NULL, model TEXT NOT NULL,
    ok INTEGER NOT NULL, reason TEXT NOT NULL, reply TEXT NOT NULL, queries TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_key ON replies (key);
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, base_url TEXT NOT NULL, created REAL NOT NULL,
    run INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS reservations (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, scope TEXT NOT NULL, amount INTEGER NOT NULL,
    run INTEGER NOT NULL, batch INTEGER, lost INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS reservations_key ON reservations (key);
CREATE INDEX IF NOT EXISTS reservations_batch ON reservations (batch);
CREATE TABLE IF NOT EXISTS spent (scope TEXT PRIMARY KEY, settled INTEGER NOT NULL, reserved INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS reply_bought AFTER INSERT ON replies BEGIN
    INSERT INTO spent VALUES (new.scope, new.cost, 0) ON CONFLICT DO UPDATE SET settled = settled + new.cost;
END;
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


@dataclass(frozen=True)
class Reply:
    """One bought reply."""

    key: str
    scope: str  # of its prompt
    model: str
    reason: str  # why it gives no queries; empty where it does
    text: str
    queries: Sequence[tuple[str, str]]  # kind and query
    input_tokens: int
    output_tokens: int
    cost: int  # nanodollars

    def row(self) -> dict[str, object]:
        """The row of replies.jsonl."""
        return {
            "key": self.key,
            "prompt": self.scope,
            "model": self.model,
            "status": "failed" if self.reason else "ok",
            "reason": self.reason,
            "reply": self.text,
            "queries": [{"kind": kind, "query": query} for kind, query in self.queries],
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost / USD,
        }

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Reply":
        """The reply of a row of replies.jsonl, the inverse of `row`."""
        return cls(
            row["key"],
            row["prompt"],
            row["model"],
            row["reason"],
            row["reply"],
            [(item["kind"], item["query"]) for item in row["queries"]],
            row["input_tokens"],
            row["output_tokens"],
            round(row["cost_usd"] * USD),
        )


Outcome = int | Literal["bought", "elsewhere", "budget"]


class Store:
    """Opens the store, or makes it. One connection, used by one thread at a time."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises UserError where the file cannot be used."""
        self.path = path or state.root() / "replies.sqlite"
        self.name = f"{self.path.parent.name}/{self.path.name}"
        try:
            self._db = sqlite3.connect(
                self.path, timeout=_WAIT_FOR_OTHERS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=TRUNCATE")  # a WAL cannot be shared by machines
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise UserError(f"{self.name}: {error}") from error
        self._runs = self.path.parent / "runs"
        self._run: int | None = None

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def run(self) -> Iterator[None]:
        """The time in which replies are bought: what is reserved in it is under way, for other runs, until it ends."""
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

    # What follows and changes something belongs inside `transaction`; what reserves, or opens a batch, inside `run`.

    def reserve(self, key: str, scope: str, amount: int, budget: int, batch: int | None = None) -> Outcome:
        """Reserve money for a request: the reservation's number, or why there is none: the reply is here, another
        process or a batch is about to get it, or the budget does not hold it.
        """
        if self._db.execute("SELECT 1 FROM replies WHERE key = ? AND ok", (key,)).fetchone():
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

    def settle(self, reservation: int, reply: Reply) -> None:
        """Keep a reply, and let its own cost stand for the reservation."""
        if self._db.execute("DELETE FROM reservations WHERE number = ?", (reservation,)).rowcount:
            self._insert(reply)  # otherwise it was settled before

    def release(self, reservation: int) -> None:
        """Give back what was reserved for a request that was not billed."""
        self._db.execute("DELETE FROM reservations WHERE number = ?", (reservation,))

    def lose(self, reservation: int) -> None:
        """Note that a request may have been billed, without a reply: its money stays reserved."""
        self._db.execute("UPDATE reservations SET lost = 1 WHERE number = ?", (reservation,))

    def refill(self, replies: Iterable[Reply]) -> int:
        """Keep replies that were bought elsewhere, all of each key that has none here. Their number."""
        here: dict[str, bool] = {}
        count = 0
        for reply in replies:
            if reply.key not in here:
                row = self._db.execute("SELECT 1 FROM replies WHERE key = ?", (reply.key,)).fetchone()
                here[reply.key] = row is not None
            if not here[reply.key]:
                self._insert(reply)
                count += 1
        return count

    def open_batch(self, base_url: str) -> int:
        """Note that a batch is about to be submitted: its number here."""
        number = self._db.execute(
            "INSERT INTO batches (base_url, created, run) VALUES (?, ?, ?)",
            (base_url, time.time(), self._run),
        ).lastrowid
        assert number is not None
        return number

    def name_batch(self, number: int, id_: str) -> None:
        """Note the id under which the server has a batch."""
        self._db.execute("UPDATE batches SET id = ? WHERE number = ?", (id_, number))

    def end_batch(self, number: int) -> None:
        """Note that all results of a batch are here; what had none was not billed."""
        self._db.execute("UPDATE batches SET done = 1 WHERE number = ?", (number,))
        self._db.execute("DELETE FROM reservations WHERE batch = ?", (number,))

    def lose_batch(self, number: int) -> None:
        """Note that a batch's results are not to be had any more: its requests may have been billed."""
        self._db.execute("UPDATE reservations SET lost = 1, batch = NULL WHERE batch = ?", (number,))
        self.end_batch(number)

    def _insert(self, reply: Reply) -> None:
        self._db.execute(
            "INSERT INTO replies (key, scope, model, ok, reason, reply, queries, input_tokens, output_tokens, cost) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(reply.key, reply.scope, reply.model, not reply.reason, reply.reason, reply.text),
                json.dumps(reply.queries, ensure_ascii=False),
                *(reply.input_tokens, reply.output_tokens, reply.cost),
            ),
        )

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

    def standing(self, keys: Iterable[str]) -> dict[str, tuple[bool, int]]:
        """Of each key that has replies: True if one is usable, and their number."""
        standing: dict[str, tuple[bool, int]] = {}
        for chunk in _chunks(keys):
            query = f"SELECT key, max(ok), count(*) FROM replies WHERE key IN ({_marks(chunk)}) GROUP BY key"
            standing |= {key: (bool(ok), count) for key, ok, count in self._db.execute(query, chunk)}
        return standing

    def queries(self, keys: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Kind and query of each key that has a usable reply."""
        by_key: dict[str, list[tuple[str, str]]] = {}
        for chunk in _chunks(keys):
            query = f"SELECT key, queries FROM replies WHERE ok AND key IN ({_marks(chunk)}) ORDER BY number DESC"
            by_key |= {
                key: [(kind, text) for kind, text in json.loads(queries)]
                for key, queries in self._db.execute(query, chunk)
            }
        return by_key

    def replies(self, keys: Iterable[str]) -> Iterator[Reply]:
        """All replies under these keys, in the order of keys, then as they came."""
        columns = "key, scope, model, reason, reply, queries, input_tokens, output_tokens, cost"
        for chunk in _chunks(sorted(set(keys))):
            query = f"SELECT {columns} FROM replies WHERE key IN ({_marks(chunk)}) ORDER BY key, number"
            for key, scope, model, reason, text, queries, *numbers in self._db.execute(query, chunk).fetchall():
                yield Reply(key, scope, model, reason, text, [(k, q) for k, q in json.loads(queries)], *numbers)

    def pending_batches(self) -> list[tuple[int, str | None, str]]:
        """Batches whose results are not here, of runs that are no more: number, id and base_url."""
        rows = self._db.execute("SELECT number, id, base_url, run FROM batches WHERE NOT done ORDER BY number")
        return [(number, id_, url) for number, id_, url, run in rows.fetchall() if not self._is_alive(run)]

    def batch_created(self, number: int) -> float:
        """When a batch was noted, in seconds since 1970."""
        created: float = self._db.execute("SELECT created FROM batches WHERE number = ?", (number,)).fetchone()[0]
        return created

    def known_batch_ids(self) -> set[str]:
        return {id_ for (id_,) in self._db.execute("SELECT id FROM batches WHERE id IS NOT NULL")}

    def reservations_of(self, batch: int) -> dict[str, int]:
        """The keys that a batch is to bring, with their reservations."""
        rows = self._db.execute("SELECT key, number FROM reservations WHERE batch = ?", (batch,))
        return dict(rows.fetchall())


_Work = tuple[Callable[[], Any], asyncio.Future[Any]]


class Committer:
    """Writes for many tasks at once: what they hand in while one transaction is written goes into the next."""

    def __init__(self, store: Store) -> None:
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


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(keys)
    while chunk := list(islice(iterator, _AT_ONCE)):
        yield chunk


def _marks(values: Sequence[str]) -> str:
    return ",".join("?" * len(values))
