"""The table of vectors, by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.export import passage_vectors
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


def test_rows_are_written_some_at_a_time_as_pyarrow_writes_a_whole_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = np.random.default_rng(0).standard_normal((25, 10), dtype=np.float32)
    ids = [f"p{row}" for row in range(25)]
    for name, rows, ranges in (("whole", 1 << 20, 65_536), ("parts", 10, 4)):
        monkeypatch.setattr(passage_vectors, "_ROWS", rows)
        monkeypatch.setattr(passage_vectors, "_RANGES", ranges)
        (tmp_path / name).mkdir()
        write_passage_vectors(tmp_path / name / "p.parquet", ids, ids, vectors, int8=True, binary=True)
    table = pq.read_table(tmp_path / "whole/p.parquet")
    assert pq.read_table(tmp_path / "parts/p.parquet") == table
    columns = {
        name: pa.FixedSizeListArray.from_arrays(column.combine_chunks().values, column.type.list_size)
        if name.startswith("vector")
        else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    coarse = ["vector_int8.list.element", "vector_binary.list.element"]
    for name, rows in (("whole", 1 << 20), ("parts", 10)):
        pq.write_table(pa.table(columns), tmp_path / "theirs.parquet", use_dictionary=coarse, row_group_size=rows)
        assert (tmp_path / "theirs.parquet").read_bytes() == (tmp_path / name / "p.parquet").read_bytes()
    ours, theirs = (np.load(tmp_path / name / "int8_ranges.npy") for name in ("parts", "whole"))
    np.testing.assert_array_equal(ours, theirs)
