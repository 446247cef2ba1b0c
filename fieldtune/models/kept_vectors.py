"""The store of vectors: SQLite in `.fieldtune/vectors/`, a file for each model, shared by all processes.

A vector is kept under all that it depends on: the model's files, the prompt, the length limit, the arithmetic, the
libraries, the processor and the text. It is kept with a checksum, so that nothing that is damaged is read. What is lost
is encoded again: the store need not outlive a crash of the machine. benchmarks/vector_store.py compares others.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.models import tuned_model
from fieldtune.runtime import state
from fieldtune.runtime.console import note

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS model (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, "
    "stays INTEGER NOT NULL, used REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)",
)
_PAGE = 32_768  # bytes; of SQLite's usual 4,096 a third would stay empty
_CHECK = 8  # bytes of the checksum behind each vector
_AT_ONCE = 500  # keys in one query
_TUNED = 2  # tuned models whose vectors are kept
_WAIT = 60.0  # seconds for another process's transaction

_MODEL_FILES = {".json", ".txt", ".model", ".py", ".safetensors", ".bin", ".spm", ".vocab"}
_OTHER_FORMS = {"onnx", "openvino"}  # folders of the same model for other programs
_BESIDE = {tuned_model.HISTORY, tuned_model.PASSAGES}

Vectors = npt.NDArray[np.float32]
_Result = TypeVar("_Result")


def folder() -> Path:
    """The folder of all stores."""
    return state.root() / "vectors"


def fingerprint(model: Path) -> str:
    """16 hex digits that stand for a model's files: weights, tokenizer and config."""
    every = (path for path in sorted(model.rglob("*")) if path.suffix in _MODEL_FILES and path.is_file())
    of_model = [
        path for path in every if path.name not in _BESIDE and not _OTHER_FORMS & set(path.relative_to(model).parts)
    ]
    if any(path.suffix == ".safetensors" for path in of_model):  # .bin holds the same weights
        of_model = [path for path in of_model if path.suffix != ".bin"]
    digest = hashlib.sha256()
    for path in of_model:
        digest.update(f"{path.relative_to(model).as_posix()}\n{files.sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A model whose vectors are kept."""

    file: Path
    name: str
    stays: bool  # a base or a pinned model; of tuned ones the last two stay
    used: float  # seconds since 1970


class VectorStore:
    """Vectors of one model by key.

    If its disk is full, or it is read-only, it keeps no more; if its file is damaged it begins again.
    """

    def __init__(self, model: str, name: str, *, stays: bool) -> None:
        """`model`: its `fingerprint`; `name`: for people; `stays`: it is a base or a pinned model, not a tuned one."""
        self._db: sqlite3.Connection | None = None
        self._path = folder() / f"{model}.sqlite"
        self._writes = True
        self._warned = False
        for _ in range(2):  # a damaged file is gone at the second try
            if self._attempt(partial(self._open, name, stays)) is not None:
                break
        if self._db is None and self._path.is_file():
            self._attempt(self._open_to_read)

    def get(self, keys: Sequence[bytes]) -> Iterator[tuple[int, Vectors]]:
        """Those that are kept: each key's place with its vector [dimension]. Damaged ones count as missing."""
        for start in range(0, len(keys), _AT_ONCE):
            chunk = keys[start : start + _AT_ONCE]
            place_of = {key: start + place for place, key in enumerate(chunk)}
            for key, blob in self._attempt(partial(self._rows, chunk)) or ():
                if blob[-_CHECK:] == _checksum(key, blob[:-_CHECK]):
                    yield place_of[key], np.frombuffer(blob[:-_CHECK], dtype=np.float32)

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors [len(keys), dimension]; they outlive this process as soon as this returns."""
        if self._writes:
            blobs = [vector.tobytes() for vector in np.ascontiguousarray(vectors, dtype=np.float32)]
            rows = [(key, blob + _checksum(key, blob)) for key, blob in zip(keys, blobs, strict=True)]
            self._attempt(partial(self._insert, rows))

    def close(self) -> None:
        db, self._db = self._db, None
        if db:
            db.close()

    def __del__(self) -> None:
        self.close()

    def _open(self, name: str, stays: bool) -> bool:
        self._path.parent.mkdir(exist_ok=True)
        # Python may collect a store in any thread, and closes it there.
        self._db = sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        self._db.execute(f"PRAGMA page_size = {_PAGE}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        for statement in _SCHEMA:
            self._db.execute(statement)
        self._db.execute(
            "INSERT INTO model VALUES (1, ?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used, "
            "name = CASE WHEN excluded.stays >= stays THEN excluded.name ELSE name END, "
            "stays = max(stays, excluded.stays)",
            (name, stays, time.time()),
        )
        return True

    def _open_to_read(self) -> bool:
        """Open a file that cannot be written; without `immutable` SQLite would write a file beside it."""
        self._db = _read_only(self._path)
        self._db.execute("SELECT 1 FROM vectors LIMIT 1").fetchall()
        return True

    def _rows(self, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        query = f"SELECT key, vector FROM vectors WHERE key IN ({','.join('?' * len(keys))})"
        return self._db.execute(query, keys).fetchall() if self._db else []

    def _insert(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        if self._db:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                # A row that already exists may be a damaged one.
                self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def _attempt(self, work: Callable[[], _Result]) -> _Result | None:
        """The result; None after an error, which costs time and nothing else."""
        try:
            return work()
        except (sqlite3.DatabaseError, OSError) as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        damaged = not isinstance(error, sqlite3.OperationalError | OSError)  # no full disk, no lock
        if not self._warned:
            consequence = "begins again" if damaged else "takes no more"
            note(
                f"! {self._path}: {error}; the store of vectors {consequence}, so texts may have to be encoded again, "
                "and nothing else is lost"
            )
        self._warned = True
        if damaged:
            self.close()
            delete(self._path)
        else:
            self._writes = False
            if self._db is not None and not self._is_usable():
                self.close()

    def _is_usable(self) -> bool:
        assert self._db is not None
        try:
            self._db.execute("SELECT 1 FROM vectors LIMIT 1").fetchall()
        except sqlite3.DatabaseError:
            return False
        return True


def kept() -> list[Kept]:
    """All models whose vectors are kept, last used first; a file that cannot be read comes last."""
    models = []
    for file in sorted(folder().glob("*.sqlite")):
        try:
            with closing(sqlite3.connect(file, timeout=_WAIT)) as db:
                row = db.execute("SELECT name, stays, used FROM model").fetchone()
            models.append(Kept(file, row[0], bool(row[1]), row[2]) if row else Kept(file, "new", True, 0.0))
        except sqlite3.OperationalError:  # another process writes to it, or it may not be read
            models.append(Kept(file, "not readable now", True, 0.0))
        except sqlite3.DatabaseError:
            models.append(Kept(file, "damaged", False, 0.0))
    return sorted(models, key=lambda model: -model.used)


def prune() -> None:
    """Delete the vectors of tuned models except those of the last two."""
    for model in [model for model in kept() if not model.stays][_TUNED:]:
        delete(model.file)


def delete(file: Path) -> None:
    """Delete a store; first what SQLite keeps beside it, which must not meet another file of that name."""
    for suffix in ("-wal", "-shm", ""):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _read_only(file: Path) -> sqlite3.Connection:
    address = f"{file.resolve().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


def _checksum(key: bytes, vector: bytes) -> bytes:
    return hashlib.blake2b(key + vector, digest_size=_CHECK).digest()
