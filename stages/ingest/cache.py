"""A cache of what was read and cut before, by what it depends on: SQLite in `.fieldtune/`, shared by all processes."""

import hashlib
import json
import multiprocessing
import sqlite3
import zlib
from pathlib import Path
from typing import Any

from fieldtune.runtime.console import note

_LARGEST = 64 << 20  # bytes before compression: what is longer is read again rather than held in memory twice


class Cache:
    """Bytes by key. What it loses is read again: it need not outlive a crash of the machine.

    If its disk is full it keeps no more; if its file is damaged it begins again, at once or when next opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keeps = True
        self._db: sqlite3.Connection | None = None
        for _ in range(2):  # a damaged file is gone at the second try
            try:
                self._db = sqlite3.connect(path, timeout=60.0, isolation_level=None)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")
                self._db.execute(
                    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
                )
                self._keeps = True
                return
            except sqlite3.DatabaseError as error:
                self._failed(error)
                self.close()

    def get(self, key: str) -> bytes | None:
        row = self._row("SELECT value FROM entries WHERE key = ?", key)
        try:
            return zlib.decompress(row[0]) if row else None
        except zlib.error as error:
            self._failed(error)
            return None

    def has(self, key: str) -> bool:
        return self._row("SELECT 1 FROM entries WHERE key = ?", key) is not None

    def put(self, *entries: tuple[str, bytes]) -> None:
        """Keep these together, or none of them if one is too long."""
        if self._db and self._keeps and all(len(value) <= _LARGEST for _, value in entries):
            rows = ((key, zlib.compress(value, level=1)) for key, value in entries)
            try:
                with self._db:
                    self._db.execute("BEGIN IMMEDIATE")
                    self._db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)
            except sqlite3.DatabaseError as error:
                self._failed(error)

    def close(self) -> None:
        db, self._db = self._db, None
        if db:
            db.close()

    def _row(self, query: str, key: str) -> Any:
        try:
            return self._db.execute(query, (key,)).fetchone() if self._db else None
        except sqlite3.DatabaseError as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        if self._keeps and multiprocessing.parent_process() is None:  # of many processes one says it
            note(f"! {self._path.name}: {error}; files may have to be read again, and nothing else is lost")
        self._keeps = False
        if not isinstance(error, sqlite3.OperationalError):  # no disk that is full, no lock: the file is damaged
            self.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)


def key_of(*parts: Any) -> str:
    """64 hex digits that stand for values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
