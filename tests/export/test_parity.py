"""Cosines between two encodings, by hand."""

import numpy as np
import pytest

from stages.export.parity import Parity, Sample, parity


def test_parity_by_hand() -> None:
    reference = np.array([[1, 0], [0, 2]], dtype=np.float32)
    assert parity(reference, np.array([[3, 4], [0, 1]], dtype=np.float32)) == Parity(min=0.6, mean=0.8)
    with pytest.raises(ValueError, match="shapes"):
        parity(reference, reference[:1])


def test_a_sample_is_compared_to_six_decimals() -> None:
    sample = Sample(["a", "b"], np.array([[1, 0], [0, 2]], dtype=np.float32))
    assert sample.cosines(np.array([[1, 0], [1, 2]], dtype=np.float32)) == {"min": 0.894427, "mean": 0.947214}
