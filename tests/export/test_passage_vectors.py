"""The table of vectors, by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stages.export.passage_vectors import write_passage_vectors

# Ten dimensions: the bits of a row fill one byte and two bits of the next.
VECTORS = np.array([[0.5, -0.5] * 5, [1.0] + [0.0] * 9], dtype=np.float32)
IDS, TEXTS = ["a#1", "ü#2"], ["Title\ntext", "ü"]


def test_a_row_per_passage_has_its_id_hash_and_vector(tmp_path: Path) -> None:
    write_passage_vectors(tmp_path / "p.parquet", IDS, TEXTS, VECTORS.astype(np.float64))
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["id", "text_sha256", "vector"]
    assert table["id"].to_pylist() == IDS
    assert table["text_sha256"].to_pylist() == [hashlib.sha256(text.encode()).hexdigest() for text in TEXTS]
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[10]"
    np.testing.assert_array_equal(np.stack(table["vector"].to_numpy()), VECTORS)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_bits_are_signs_with_the_first_number_highest(tmp_path: Path) -> None:
    write_passage_vectors(tmp_path / "p.parquet", IDS, TEXTS, VECTORS, binary=True)
    table = pq.read_table(tmp_path / "p.parquet")
    assert table["vector_binary"].to_pylist() == [[0b10101010, 0b10000000], [0b10000000, 0]]


def test_int8_has_its_ranges_beside_the_file(tmp_path: Path) -> None:
    write_passage_vectors(tmp_path / "p.parquet", IDS, TEXTS, VECTORS, int8=True)
    table = pq.read_table(tmp_path / "p.parquet")
    assert str(table.schema.field("vector_int8").type) == "fixed_size_list<element: int8>[10]"
    np.testing.assert_array_equal(np.load(tmp_path / "int8_ranges.npy"), [[-1.0] * 10, [1.0] * 10])
