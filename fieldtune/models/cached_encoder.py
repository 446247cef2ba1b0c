"""A model in a folder that encodes no text twice: what it has encoded before comes from the store of vectors."""

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentence_transformers
import tokenizers
import torch
import transformers
from sentence_transformers import SentenceTransformer

from fieldtune.corpus.vectors import text_key
from fieldtune.models import encoder, processes
from fieldtune.models.encoder import Kind
from fieldtune.models.kept_vectors import VectorStore, fingerprint, prune
from fieldtune.runtime.console import progress

Vectors = npt.NDArray[np.float32]


class CachedEncoder:
    """Texts to unit vectors, as `encoder.encode` makes them, by a model whose weights are those of its folder."""

    def __init__(
        self,
        model: SentenceTransformer,
        folder: Path,
        *,
        bf16: bool,
        batch_size: int,
        name: str | None = None,
        tuned: bool = False,
    ) -> None:
        """`model` is as loaded from `folder`; `name`: what people call it, otherwise the folder.

        Of tuned models the vectors of the last two are kept.
        """
        self.model = model
        self.encoded = 0  # texts that were not in the store
        self._bf16, self._batch_size = bf16, batch_size
        self.store = VectorStore(fingerprint(folder), name or folder.as_posix(), stays=not tuned)
        if tuned and processes.rank() == 0:
            prune()

    def encode(
        self, texts: Sequence[str], kind: Kind, *, label: str | None = None, distributed: bool = False
    ) -> Vectors:
        """Encode texts with the prompt for `kind`: unit vectors, float32 [len(texts), dimension], in input order.

        What is encoded is kept at once. `label` shows a progress bar. `distributed`: every process that runs the
        stage encodes its share, and all have the vectors.
        """
        vectors = np.zeros((len(texts), self.model.get_embedding_dimension() or 0), dtype=np.float32)
        keys = self.keys(texts, kind)
        firsts, copies = _distinct(keys)
        missing = self._look_up(firsts, keys, vectors, distributed)
        share = missing[processes.rank() :: processes.count()] if distributed else missing
        with progress(label or "", len(share)) as bar:

            def collect(rows: Sequence[int], batch: Vectors) -> None:
                vectors[rows] = batch
                self.store.put([keys[row] for row in rows], batch)
                bar.advance(len(rows))

            encoder.encode_rows(self.model, texts, share, kind, collect, bf16=self._bf16, batch_size=self._batch_size)
        if distributed:
            processes.add_up(vectors, self.model.device)
        for row, first in copies:
            vectors[row] = vectors[first]
        self.encoded += len(missing)
        return vectors

    def keys(self, texts: Sequence[str], kind: Kind) -> list[bytes]:
        """The keys of texts in the store, 16 bytes each."""
        scope = self._scope(kind)
        return [hashlib.sha256(scope + text_key(text)).digest()[:16] for text in texts]

    def _look_up(self, rows: Sequence[int], keys: Sequence[bytes], vectors: Vectors, distributed: bool) -> list[int]:
        """Fill these rows in if their vectors are kept; the others. Of several processes the first looks them up."""
        known = np.zeros((len(vectors), 1), dtype=np.float32)
        if not distributed or processes.rank() == 0:
            for place, vector in self.store.get([keys[row] for row in rows]):
                vectors[rows[place]] = vector
                known[rows[place]] = 1
        if distributed:
            processes.add_up(known, self.model.device)
        return [row for row in rows if not known[row, 0]]

    def _scope(self, kind: Kind) -> bytes:
        """A digest of what a vector depends on besides the model's files and the text."""
        depends: dict[str, Any] = {
            "encoding": encoder.ENCODING,
            "kind": kind,
            "prompt": self.model.prompts[kind],
            "max_tokens": self.model.max_seq_length,
            "bf16": self._bf16,
            "batch_tokens": encoder.batch_tokens(self.model, self._batch_size),
            "libraries": [library.__version__ for library in (torch, transformers, sentence_transformers, tokenizers)],
            "processor": _processor(self.model.device),
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).digest()


def _distinct(keys: Sequence[bytes]) -> tuple[list[int], list[tuple[int, int]]]:
    """The row at which each text, by its key, is first, and of the other rows each with its text's first."""
    first_of: dict[bytes, int] = {}
    copies = []
    for row, key in enumerate(keys):
        if (first := first_of.setdefault(key, row)) != row:
            copies.append((row, first))
    return list(first_of.values()), copies


def _processor(device: torch.device) -> list[str]:
    """The processor that computes, as far as its arithmetic depends on it: a folder may be used by several machines."""
    if device.type == "cuda":
        return [device.type, torch.cuda.get_device_name(device)]
    if device.type == "mps":
        return [device.type, torch.backends.mps.get_name()]
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "flags", "Features"))]
    digest = hashlib.sha256("\n".join(sorted(set(names))).encode()).hexdigest()[:16]
    return [device.type, platform.machine(), torch.backends.cpu.get_cpu_capability(), digest]
