"""The store of bought replies, a ledger whose rows are replies under the keys of their requests
(`stages.generate.prompt`).
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fieldtune.buying.ledger import Ledger, chunks, marks
from fieldtune.buying.money import USD

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
CREATE TRIGGER IF NOT EXISTS reply_bought AFTER INSERT ON replies BEGIN
    INSERT INTO spent VALUES (new.scope, new.cost, 0) ON CONFLICT DO UPDATE SET settled = settled + new.cost;
END;
"""


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


class Store(Ledger):
    """The ledger of replies and of the batches that bring them."""

    file = "replies.sqlite"
    schema = _SCHEMA

    # What follows and changes something belongs inside `transaction`; what opens a batch, inside `run`.

    def has(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM replies WHERE key = ? AND ok", (key,)).fetchone() is not None

    def settle(self, reservation: int, reply: Reply) -> None:
        """Keep a reply, and let its own cost stand for the reservation."""
        if self.clear(reservation):
            self._insert(reply)  # otherwise it was settled before

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

    # What follows only reads.

    def standing(self, keys: Iterable[str]) -> dict[str, tuple[bool, int]]:
        """Of each key that has replies: True if one is usable, and their number."""
        standing: dict[str, tuple[bool, int]] = {}
        for chunk in chunks(keys):
            query = f"SELECT key, max(ok), count(*) FROM replies WHERE key IN ({marks(chunk)}) GROUP BY key"
            standing |= {key: (bool(ok), count) for key, ok, count in self._db.execute(query, chunk)}
        return standing

    def queries(self, keys: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Kind and query of each key that has a usable reply."""
        by_key: dict[str, list[tuple[str, str]]] = {}
        for chunk in chunks(keys):
            query = f"SELECT key, queries FROM replies WHERE ok AND key IN ({marks(chunk)}) ORDER BY number DESC"
            by_key |= {
                key: [(kind, text) for kind, text in json.loads(queries)]
                for key, queries in self._db.execute(query, chunk)
            }
        return by_key

    def replies(self, keys: Iterable[str]) -> Iterator[Reply]:
        """All replies under these keys, in the order of keys, then as they came."""
        columns = "key, scope, model, reason, reply, queries, input_tokens, output_tokens, cost"
        for chunk in chunks(sorted(set(keys))):
            query = f"SELECT {columns} FROM replies WHERE key IN ({marks(chunk)}) ORDER BY key, number"
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
