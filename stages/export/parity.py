"""Cosines between two encodings of the same texts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Parity:
    """Cosine between two encodings of the same texts: the worst text's and the mean."""

    min: float
    mean: float


@dataclass(frozen=True)
class Sample:
    """Passages and the model's vectors of them in float32, which other encodings are compared with."""

    texts: Sequence[str]
    vectors: Vectors  # [texts, dimension]

    def cosines(self, candidate: Vectors) -> dict[str, float]:
        """`min` and `mean` of the cosines, to six decimals, for parity.json."""
        return {name: round(value, 6) for name, value in asdict(parity(self.vectors, candidate)).items()}


def parity(reference: Vectors, candidate: Vectors) -> Parity:
    """Compare two encodings of the same texts, row by row: float [n, dimension] each.

    Raises ValueError if the shapes differ or there are no rows.
    """
    if reference.shape != candidate.shape or len(reference) == 0:
        raise ValueError(f"cannot compare encodings of shapes {reference.shape} and {candidate.shape}")
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return Parity(min=float(cosines.min()), mean=float(cosines.mean()))
