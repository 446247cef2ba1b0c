"""What was read and cut before, by what it depends on: SQLite in `.fieldtune/`, shared by all processes."""

import hashlib
import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

_LARGEST = 64 << 20  # bytes before compression: what is longer is read again rather than held in memory twice


class Cache:
    """Bytes by key. What it loses is read again: it need not outlive a crash of the machine."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def get(self, key: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
        return zlib.decompress(row[0]) if row else None

    def has(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None

    def put(self, *entries: tuple[str, bytes]) -> None:
        """Keep these together, or none of them where one is too long."""
        if all(len(value) <= _LARGEST for _, value in entries):
            self._db.execute("BEGIN IMMEDIATE")
            rows = ((key, zlib.compress(value, level=1)) for key, value in entries)
            self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def key_of(*parts: Any) -> str:
    """64 hex digits that stand for values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
