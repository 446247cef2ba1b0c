"""The written model folder as its users load it: only by its path, in a fresh process, with no network.

Run as `python -m stages.export.reload <model folder> <vectors folder>`, with `{"query": […], "document": […]}` on
standard input.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from fieldtune.runtime.errors import UserError


def encode_afresh(
    folder: Path, queries: Sequence[str], passages: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Vectors of queries and of passages, by a process that is given only the folder.

    Raises UserError, with that process's last words, if the folder cannot be loaded.
    """
    with TemporaryDirectory() as temporary:
        done = subprocess.run(
            [sys.executable, "-m", "stages.export.reload", str(folder), temporary],
            input=json.dumps({"query": list(queries), "document": list(passages)}),
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"])[-1]
            raise UserError(f"the exported model could not be loaded in a fresh process: {reason}")
        vectors = [np.load(Path(temporary) / f"{kind}.npy") for kind in ("query", "document")]
    return vectors[0], vectors[1]


def _main(folder: str, out: str) -> None:
    from sentence_transformers import SentenceTransformer

    texts = json.load(sys.stdin)
    model = SentenceTransformer(folder, device="cpu")
    np.save(f"{out}/query.npy", model.encode_query(texts["query"], show_progress_bar=False))
    np.save(f"{out}/document.npy", model.encode_document(texts["document"], show_progress_bar=False))


if __name__ == "__main__":
    _main(*sys.argv[1:])
