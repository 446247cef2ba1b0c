"""Three embedded stores as a place for vectors: seconds to write, to look up, and to open; bytes on disk.

    pip install lmdb==3.0.0 pylance==14.0.2
    python -m benchmarks.vector_store [--rows 1000000] [--stores sqlite lmdb lance]

Vectors of 384 float32 under keys of 16 bytes are written in random order of their keys, 4,096 a transaction, as
`embed` does. Then half of the keys are asked for with as many that are missing, 4,096 at a time, in another order;
and, from a process of its own, a dozen: what a change of one document asks for.

Measured on two cores that others used as well, a million rows:

    store    write   look up   a dozen   bytes per row   (1,536 of them are the vector)
    sqlite   103 s      72 s      1 ms         1,666
    lmdb     147 s      21 s     10 ms         2,811
    lance     28 s     119 s      5.4 s        1,586

fieldtune/models/kept_vectors.py uses SQLite: it comes with Python, small look-ups are as fast as any, and a damaged
file is an error, whereas one that is mapped into memory ends the process. A vector takes a thousand times as long to
encode as to look up.
"""

import argparse
import hashlib
import importlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files

DIMENSION = 384
AT_ONCE = 4096
DOZEN = 12
Vectors = npt.NDArray[np.float32]


class Candidate(Protocol):
    """A store that is open."""

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None: ...

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]: ...

    def close(self) -> None: ...


class Sqlite:
    """A table with the key as its primary key, written ahead."""

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "vectors.sqlite", isolation_level=None)
        self._db.execute("PRAGMA page_size = 32768")  # of 4,096 bytes a third stays empty: two vectors fit
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            rows = ((key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True))
            self._db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        marks = ",".join("?" * len(keys))
        rows = self._db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", keys)
        return {key: np.frombuffer(vector, np.float32) for key, vector in rows}

    def close(self) -> None:
        self._db.close()


class Lmdb:
    """Keys and values in one tree, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        lmdb: Any = importlib.import_module("lmdb")
        self._env: Any = lmdb.open(str(folder / "lmdb"), map_size=1 << 40, metasync=False)

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti([(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)])

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        with self._env.begin(buffers=False) as transaction, transaction.cursor() as cursor:
            return {key: np.frombuffer(vector, np.float32) for key, vector in cursor.getmulti(keys)}

    def close(self) -> None:
        self._env.close()


class Lance:
    """A columnar table with a B-tree index of the keys, which is made when all is written."""

    def __init__(self, folder: Path) -> None:
        self._uri = str(folder / "vectors.lance")
        self._table: Any = None

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        import pyarrow as pa

        lance: Any = importlib.import_module("lance")

        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIMENSION)
        rows = pa.table({"key": [key.hex() for key in keys], "vector": column})
        lance.write_dataset(rows, self._uri, mode="append" if Path(self._uri).exists() else "create")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        lance: Any = importlib.import_module("lance")
        if self._table is None:
            self._table = lance.dataset(self._uri)
        names = ",".join(f"'{key.hex()}'" for key in keys)
        rows = self._table.to_table(filter=f"key IN ({names})")
        vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSION)
        return dict(zip(map(bytes.fromhex, rows["key"].to_pylist()), vectors, strict=True))

    def close(self) -> None:
        lance: Any = importlib.import_module("lance")
        table: Any = lance.dataset(self._uri)
        if not table.list_indices():
            table.create_scalar_index("key", "BTREE")


STORES: dict[str, Callable[[Path], Candidate]] = {"sqlite": Sqlite, "lmdb": Lmdb, "lance": Lance}


def key_of(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()[:16]


def chunks(numbers: Sequence[int]) -> Iterator[list[bytes]]:
    for start in range(0, len(numbers), AT_ONCE):
        yield [key_of(number) for number in numbers[start : start + AT_ONCE]]


def measure(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Write, look up, and look a dozen up in a fresh process."""
    draw = np.random.default_rng(0)
    sample = draw.standard_normal((AT_ONCE, DIMENSION), dtype=np.float32)
    store = STORES[name](folder)
    started = time.monotonic()
    for keys in chunks(range(rows)):
        store.put(keys, sample[: len(keys)])
    store.close()
    written = time.monotonic() - started
    store = STORES[name](folder)
    started, hits = time.monotonic(), 0
    for keys in chunks(draw.permutation(np.arange(rows // 2, rows + rows // 2)).tolist()):
        hits += len(store.get(keys))
    read = time.monotonic() - started
    assert hits == rows - rows // 2
    store.close()
    code = f"from benchmarks import vector_store as v; v.dozen({name!r}, {str(folder)!r})"
    dozen = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return {
        "rows": rows,
        "write_seconds": round(written, 1),
        "look_up_seconds": round(read, 1),
        "dozen_milliseconds": float(dozen),
        "bytes_a_row": round(files.disk_size(folder) / rows),
    }


def dozen(name: str, folder: str) -> None:
    """Print the milliseconds to open the store and look a dozen keys up."""
    started = time.monotonic()
    assert len(STORES[name](Path(folder)).get([key_of(number) for number in range(DOZEN)])) == DOZEN
    print(round(1000 * (time.monotonic() - started), 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    arguments = parser.parse_args()
    for name in arguments.stores:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({name: measure(name, Path(folder), arguments.rows)}), flush=True)


if __name__ == "__main__":
    main()
