"""Ranges and int8 vectors, worked out by hand: with a range of ±127.5 a step is 1."""

import numpy as np

from fieldtune.models.int8_vectors import int8, ranges

VECTORS = np.array([[127.5, 0.0, 64.0], [-32.0, 1.5, -64.0]], dtype=np.float32)


def test_the_range_is_the_same_for_each_dimension_and_around_0() -> None:
    assert ranges(VECTORS).tolist() == [[-127.5] * 3, [127.5] * 3]
    assert ranges(-VECTORS).tolist() == ranges(VECTORS).tolist()  # the greatest by its amount
    assert ranges(VECTORS).dtype == np.float32


def test_no_vectors_have_a_range_of_0() -> None:
    assert ranges(np.empty((0, 2), dtype=np.float32)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_number_is_its_whole_steps_above_the_least() -> None:
    """Those of 64 are 191.5, so that it is -128 + 191."""
    made = int8(VECTORS, ranges(VECTORS))
    assert made.dtype == np.int8
    assert made.tolist() == [[127, -1, 63], [-33, 1, -65]]


def test_what_is_out_of_the_range_is_cut_to_it() -> None:
    query = np.array([[-127.5, -500.0, 500.0]], dtype=np.float32)
    assert int8(query, ranges(VECTORS)).tolist() == [[-128, -128, 127]]


def test_a_query_is_cut_into_the_steps_of_the_passages() -> None:
    query = np.array([[1.9921875, 0.0, -1.9921875]], dtype=np.float32)  # 127.5 / 64
    assert int8(query, ranges(VECTORS)).tolist() == [[1, -1, -3]]
    assert int8(query, ranges(query)).tolist() == [[127, -1, -128]]
