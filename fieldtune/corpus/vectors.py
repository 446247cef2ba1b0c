"""Vectors of texts in a folder, found by their text: `passages`, and `queries` of every origin.

Each name has a folder of shards, `<name>/<prefix>.safetensors`, by the first hex digits of a hash of what a text
belongs to (of a passage, its document), so that a changed document changes one shard. A shard holds `vectors`, float32
[n, dimension], and the index of its rows: `keys`, uint64 [n, 2], the hashes of the texts, sorted. So a folder's bytes
depend on no order.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.files import replace_dir
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

    Shards are mapped into memory one by one: what is held is the result. Raises MissingVectorsError if the folder has
    not all of them.
    """
    result: Vectors | None = None
    for rows, vectors in iterate(folder, name, texts):
        if result is None:
            result = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
        result[rows] = vectors
    assert result is not None  # `iterate` gives one part at least
    return result


def iterate(folder: Path, name: str, texts: Sequence[str]) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
    """The vectors of texts by shard: rows of `texts`, and their vectors [n, dimension]; one part at least.

    Raises MissingVectorsError if the folder has not all of them.
    """
    from safetensors import safe_open

    files = shards(folder, name)
    if not files:
        raise MissingVectorsError(f"{folder / name} not found: run `dvc repro`")
    shard_of, row_of = _places(files, _keys(texts), folder / name)
    for number in np.unique(shard_of).tolist() or [0]:
        rows = np.flatnonzero(shard_of == number)
        with safe_open(files[number], framework="numpy") as shard:
            yield rows, shard.get_tensor("vectors")[row_of[rows]]


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
