"""The drift of a model's vectors from the base model's."""

import numpy as np
import numpy.typing as npt

UNCHANGED = 0.999  # mean cosine of the same passages before and after, from which tuning changed nothing


def mean_cosine(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> float:
    """The mean cosine between the unit vectors of the same texts, [n, dimension] each."""
    return float(np.mean(np.einsum("ij,ij->i", before, after, dtype=np.float64)))
