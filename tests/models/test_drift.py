"""The mean cosine of the same texts' vectors, worked out by hand."""

import numpy as np
import pytest

from fieldtune.models.drift import mean_cosine


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], 1.0),
        ([[1, 0], [0, 1]], [[0, 1], [1, 0]], 0.0),  # text by text, not each with the nearest
        ([[1, 0], [0, 1]], [[-1, 0], [0, 1]], 0.0),  # -1 and 1
        ([[1, 0], [0.6, 0.8]], [[0, 1], [0.8, 0.6]], 0.48),  # 0 and .48 + .48
    ],
)
def test_it_is_the_mean_over_the_texts(before: list[list[float]], after: list[list[float]], expected: float) -> None:
    cosine = mean_cosine(np.array(before, dtype=np.float32), np.array(after, dtype=np.float32))
    assert cosine == pytest.approx(expected, abs=1e-7)


def test_many_texts_are_summed_up_in_double_precision() -> None:
    vectors = np.full((1_000_000, 2), np.float32(np.sqrt(0.5)))
    cosine = 2 * float(vectors[0, 0]) ** 2
    assert mean_cosine(vectors, vectors) == pytest.approx(cosine, abs=1e-12)
