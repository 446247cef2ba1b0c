"""Folders of vectors: what is read is what was written, whatever the order, and a change touches few shards."""

import random
from pathlib import Path

import numpy as np
import pytest

from fieldtune.corpus import vectors as stored
from fieldtune.corpus.vectors import (
    PASSAGES,
    MissingVectorsError,
    StoredVectors,
    iterate,
    open_vectors,
    read_vectors,
    shards,
    write_vectors,
)
from fieldtune.runtime.memory import MEMORY_GB

TEXTS = [f"text {number} ß" for number in range(200)]
DOCUMENTS = [f"doc{number // 10}.md" for number in range(200)]
VECTORS = np.random.default_rng(0).standard_normal((200, 8), dtype=np.float32)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shards(folder, PASSAGES)}


def test_vectors_come_back_in_the_order_in_which_they_are_asked_for(tmp_path: Path) -> None:
    for layout in (VECTORS, np.asfortranarray(VECTORS), VECTORS.astype(np.float64)):
        write_vectors(tmp_path, PASSAGES, TEXTS, layout, DOCUMENTS)  # type: ignore[arg-type]
        rows = random.Random(0).choices(range(200), k=300)  # some twice, some not
        read = read_vectors(tmp_path, PASSAGES, [TEXTS[row] for row in rows])
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, VECTORS[rows])
    assert [path.name for path in tmp_path.iterdir()] == [PASSAGES]


def test_the_order_of_texts_and_copies_of_them_change_no_byte(tmp_path: Path) -> None:
    write_vectors(tmp_path / "one", PASSAGES, TEXTS, VECTORS, DOCUMENTS)
    order = [*random.Random(1).sample(range(200), 200), 7, 7]
    documents = [DOCUMENTS[row] for row in order]
    write_vectors(tmp_path / "other", PASSAGES, [TEXTS[row] for row in order], VECTORS[order], documents)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert 10 < len(contents(tmp_path / "one")) <= 16  # of twenty documents


def test_a_changed_document_changes_one_shard(tmp_path: Path) -> None:
    write_vectors(tmp_path / "one", PASSAGES, TEXTS, VECTORS, DOCUMENTS)
    texts = [*TEXTS[:93], "a changed text", *TEXTS[94:98], *TEXTS[99:]]
    vectors = np.delete(VECTORS, 98, axis=0)
    vectors[93] = 1
    write_vectors(tmp_path / "other", PASSAGES, texts, vectors, [*DOCUMENTS[:98], *DOCUMENTS[99:]])
    before, after = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1


def test_many_texts_have_two_digits_and_a_text_of_two_documents_has_its_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_FEW", 199)
    texts = [*TEXTS[:199], TEXTS[0]]
    write_vectors(tmp_path, PASSAGES, texts, np.concatenate([VECTORS[:199], VECTORS[:1]]), [*TEXTS[:199], "elsewhere"])
    assert {len(path.stem) for path in shards(tmp_path, PASSAGES)} == {2}
    np.testing.assert_array_equal(read_vectors(tmp_path, PASSAGES, texts[-1:]), VECTORS[:1])
    parts = list(iterate(tmp_path, PASSAGES, TEXTS[:199]))
    assert sorted(row for rows, _ in parts for row in rows.tolist()) == list(range(199))
    for rows, part in parts:
        np.testing.assert_array_equal(part, VECTORS[rows])


def test_no_texts_keep_their_dimension(tmp_path: Path) -> None:
    write_vectors(tmp_path, PASSAGES, [], np.empty((0, 384), dtype=np.float32))
    assert read_vectors(tmp_path, PASSAGES, []).shape == (0, 384)
    with pytest.raises(MissingVectorsError, match=r"has not all of the present texts: run `dvc repro`"):
        read_vectors(tmp_path, PASSAGES, ["a"])


def test_other_texts_and_folders_that_are_not_there_are_said(tmp_path: Path) -> None:
    write_vectors(tmp_path, PASSAGES, TEXTS, VECTORS)
    with pytest.raises(MissingVectorsError, match="passages has not all of the present texts") as error:
        read_vectors(tmp_path, PASSAGES, [*TEXTS, "secret"])
    assert "secret" not in str(error.value)
    with pytest.raises(MissingVectorsError, match="queries not found: run `dvc repro`"):
        read_vectors(tmp_path, "queries", [])


def test_stored_vectors_are_indexed_as_numpy_does(tmp_path: Path) -> None:
    write_vectors(tmp_path, PASSAGES, TEXTS, VECTORS, DOCUMENTS)
    table = StoredVectors(tmp_path, PASSAGES, TEXTS[:150])
    assert (len(table), table.shape, table.nbytes) == (150, (150, 8), 150 * 8 * 4)
    for rows in (0, -1, slice(None), slice(140, 170), slice(3, 3), [5, 149, 5], np.array([[1, 2], [3, 4]]), []):
        wanted = np.array(rows, dtype=np.int64) if isinstance(rows, list) else rows
        np.testing.assert_array_equal(table[wanted], VECTORS[:150][wanted])
    with pytest.raises(IndexError):
        table[150]


def test_vectors_are_in_memory_if_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_vectors(tmp_path, PASSAGES, TEXTS, VECTORS, DOCUMENTS)
    monkeypatch.setenv(MEMORY_GB, str(VECTORS.nbytes / 1e9))
    np.testing.assert_array_equal(open_vectors(tmp_path, PASSAGES, TEXTS), VECTORS)
    monkeypatch.setenv(MEMORY_GB, str((VECTORS.nbytes - 1) / 1e9))
    assert isinstance(open_vectors(tmp_path, PASSAGES, TEXTS), StoredVectors)
