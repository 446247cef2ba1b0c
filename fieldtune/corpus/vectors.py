"""Vectors of texts in a folder, a safetensors file each for `passages`, `queries` (generated ones) and `real` ones."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.files import replace_file


def vectors_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def write_vectors(folder: Path, name: str, vectors: npt.NDArray[np.float32]) -> None:
    """Write float32 [n, dimension] under the name `vectors`."""
    from safetensors.numpy import save_file

    with replace_file(vectors_file(folder, name)) as temporary:
        save_file({"vectors": np.ascontiguousarray(vectors, dtype=np.float32)}, temporary)


def read_vectors(folder: Path, name: str) -> npt.NDArray[np.float32]:
    """Read what `write_vectors` wrote, [n, dimension]."""
    from safetensors.numpy import load_file

    vectors: npt.NDArray[np.float32] = load_file(vectors_file(folder, name))["vectors"]
    return vectors
