"""Vectors come back as they were written."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fieldtune.corpus.vectors import read_vectors, vectors_file, write_vectors


def test_vectors_come_back_whatever_their_layout_in_memory(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    for layout in (vectors, vectors[:, ::-1], vectors.T):
        write_vectors(tmp_path, "v", layout)
        np.testing.assert_array_equal(read_vectors(tmp_path, "v"), layout)


def test_a_file_for_each_name_with_one_float32_array(tmp_path: Path) -> None:
    write_vectors(tmp_path / "new", "passages", np.array([[0.1, 2]]))  # of float64
    write_vectors(tmp_path / "new", "queries", np.ones((1, 2), dtype=np.float32))
    file = vectors_file(tmp_path / "new", "passages")
    assert sorted(path.name for path in file.parent.iterdir()) == ["passages.safetensors", "queries.safetensors"]
    (vectors,) = load_file(file).items()
    assert vectors[0] == "vectors"
    assert vectors[1].dtype == np.float32
    assert vectors[1].tolist() == [[np.float32(0.1), 2]]


def test_no_vectors_keep_their_dimension(tmp_path: Path) -> None:
    write_vectors(tmp_path, "real", np.empty((0, 384), dtype=np.float32))
    assert read_vectors(tmp_path, "real").shape == (0, 384)


def test_vectors_that_were_not_written_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_vectors(tmp_path, "passages")
