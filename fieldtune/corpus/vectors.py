"""Vectors of texts in a folder, found by their text: `passages`, and `queries` of every origin.

Each name has a folder of shards, `<name>/<prefix>.safetensors`, by the first hex digits of a hash of what a text
belongs to (of a passage, its document), so that a changed document changes one shard. A shard holds `vectors`, float32
[n, dimension], and the index of its rows: `keys`, uint64 [n, 2], the hashes of the texts, sorted. So a folder's bytes
depend on no order.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.files import replace_dir
from fieldtune.runtime import memory
from fieldtune.runtime.errors import UserError

PASSAGES, QUERIES = "passages", "queries"
_FEW = 65_536  # texts up to which 16 shards do; more have 256

Vectors = npt.NDArray[np.float32]
Keys = npt.NDArray[np.uint64]


class MissingVectorsError(UserError):
    """A folder has no vectors, or none of some of the texts."""


def text_key(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:16]


def shards(folder: Path, name: str) -> list[Path]:
    """The files that hold the vectors of a name, sorted; empty if there are none."""
    return sorted((folder / name).glob("*.safetensors"))


def write_vectors(
    folder: Path, name: str, texts: Sequence[str], vectors: Vectors, groups: Sequence[str] | None = None
) -> None:
    """Write float32 [n, dimension] as `folder/name/`, a row per different text.

    `groups`: what each text belongs to; texts of one group are in one shard. None: each text is a group.
    """
    from safetensors.numpy import save_file

    keys = _keys(texts)
    digits = 1 if len(texts) <= _FEW else 2
    if groups is None:
        names = [f"{first >> 56:02x}"[:digits] for first in keys[:, 0].tolist()]
    else:
        names = [hashlib.sha256(group.encode(errors="surrogatepass")).hexdigest()[:digits] for group in groups]
    shard_names = np.array(names, dtype=f"<U{digits}")
    order = np.lexsort((keys[:, 1], keys[:, 0], shard_names))
    new_shard = shard_names[order][1:] != shard_names[order][:-1]
    new_text = (keys[order][1:] != keys[order][:-1]).any(axis=1)
    order = order[np.concatenate([np.ones(len(order[:1]), dtype=bool), new_text | new_shard])]
    with replace_dir(folder / name) as temporary:
        ends = np.flatnonzero(shard_names[order][1:] != shard_names[order][:-1]) + 1
        for rows in np.split(order, ends):
            shard = temporary / f"{shard_names[rows[0]] if len(rows) else '0'}.safetensors"
            table = np.ascontiguousarray(vectors[rows], dtype=np.float32)
            save_file({"keys": keys[rows], "vectors": table}, shard)


def read_vectors(folder: Path, name: str, texts: Sequence[str]) -> Vectors:
    """The vectors of texts, [len(texts), dimension].

    Raises MissingVectorsError if the folder has not all of them.
    """
    return StoredVectors(folder, name, texts)[:]


def iterate(folder: Path, name: str, texts: Sequence[str]) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
    """The vectors of texts by shard: rows of `texts`, and their vectors [n, dimension]; one part at least.

    Raises MissingVectorsError if the folder has not all of them.
    """
    yield from StoredVectors(folder, name, texts).parts(np.arange(len(texts)))


def open_vectors(folder: Path, name: str, texts: Sequence[str]) -> "Vectors | StoredVectors":
    """The vectors of texts: in memory if they fit (`memory.limit`), otherwise read from the folder as they are used.

    Raises MissingVectorsError if the folder has not all of them.
    """
    return StoredVectors(folder, name, texts).loaded()


class StoredVectors:
    """The vectors of texts in a folder, [texts, dimension], read when they are used; 24 bytes per text are held."""

    def __init__(self, folder: Path, name: str, texts: Sequence[str]) -> None:
        """Raises MissingVectorsError if the folder has not all of them."""
        self._files = shards(folder, name)
        if not self._files:
            raise MissingVectorsError(f"{folder / name} not found: run `dvc repro`")
        self._shard_of, self._row_of = _places(self._files, _keys(texts), folder / name)
        self._rows = np.arange(len(texts))
        self.shape = len(texts), int(_mapped(self._files[0]).shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The bytes of all vectors."""
        return self.shape[0] * self.shape[1] * np.dtype(np.float32).itemsize

    def loaded(self) -> "Vectors | StoredVectors":
        """All vectors if memory has room for them (`memory.limit`), otherwise this."""
        return self[:] if self.nbytes <= memory.limit() else self

    def __getitem__(self, rows: Any) -> Vectors:
        """The vectors of a row, of a slice or of an array of rows, as numpy has them."""
        wanted = self._rows[rows]
        read = np.empty((wanted.size, self.shape[1]), dtype=np.float32)
        for places, vectors in self.parts(wanted.reshape(-1)):
            read[places] = vectors
        return read.reshape(*wanted.shape, self.shape[1])

    def parts(self, rows: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
        """The vectors of rows by shard: places in `rows`, and their vectors [n, dimension]; one part at least."""
        shard_of = self._shard_of[rows]
        order = np.argsort(shard_of, kind="stable")
        ends = np.flatnonzero(np.diff(shard_of[order])) + 1
        for places in np.split(order, ends):
            number = int(shard_of[places[0]]) if len(places) else 0
            yield places, np.asarray(_mapped(self._files[number])[self._row_of[rows[places]]])


def _mapped(file: Path) -> Vectors:
    """The vectors of a shard [n, dimension], of which only those that are used are read."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))["vectors"]
    shape = tuple(header["shape"])
    if shape[0] == 0:  # nothing cannot be mapped
        return np.empty(shape, dtype=np.float32)
    return np.memmap(file, np.float32, mode="r", offset=8 + length + header["data_offsets"][0], shape=shape)


def _places(files: Sequence[Path], wanted: Keys, where: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The shard of each key, and its row there."""
    from safetensors import safe_open

    tables = []
    for file in files:
        with safe_open(file, framework="numpy") as shard:
            tables.append(shard.get_tensor("keys"))
    keys = np.concatenate(tables)
    shard_of = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    row_of = np.concatenate([np.arange(len(table)) for table in tables])
    # Of equal keys, copies in several shards, any will do.
    order = np.argsort(keys[:, 0], kind="stable")
    places = np.minimum(np.searchsorted(keys[order, 0], wanted[:, 0]), max(0, len(keys) - 1))
    if len(wanted) and (not len(keys) or (keys[order[places]] != wanted).any()):
        raise MissingVectorsError(f"{where} has not all of the present texts: run `dvc repro`")
    return (shard_of[order[places]], row_of[order[places]]) if len(wanted) else (places, places)


def _keys(texts: Iterable[str]) -> Keys:
    joined = b"".join(map(text_key, texts))
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64).reshape(-1, 2)
