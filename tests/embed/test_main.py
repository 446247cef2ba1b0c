"""The stage as DVC runs it, on a tiny model."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.embed.__main__ import foreign_language_warning, work
from tests.train import workspace
from tests.vectors import read_rows

NAMES = ("passages", "queries", "real")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workspace.write(tmp_path)
    return tmp_path


def test_every_text_has_its_vector_and_one_line_is_all_that_is_said(folder: Path) -> None:
    status, output = workspace.run("embed", folder)
    assert (status, re.sub(r"\(\d+ s\)", "(… s)", output)) == (
        0,
        "✓ embed  40 of 40 passages and 159 of 160 queries encoded in fp32  (… s)\n",  # one is there twice,
    )
    model = SentenceTransformer(str(folder / "own/model"), prompts=workspace.PROMPTS)
    passages = [passage_text(row) for row in files.read_jsonl(folder / paths.PASSAGES)]
    queries, real = ([row["query"] for row in files.read_jsonl(folder / path)] for path in (paths.QUERIES, paths.REAL))
    expected = [model.encode_document(passages), model.encode_query(queries), model.encode_query(real)]
    for name, vectors in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(read_rows(folder, paths.VECTORS, name), vectors, atol=1e-5)
    assert sorted(path.name for path in (folder / paths.VECTORS).iterdir()) == ["passages", "queries", "weights.txt"]


def test_there_need_be_no_real_queries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_text(folder / paths.REAL, "")
    workspace.configure(folder, workspace.embed_config(precision="bf16"))
    monkeypatch.chdir(folder)
    assert work() == "40 of 40 passages and 119 of 120 queries encoded in bf16"
    assert read_rows(Path(), paths.VECTORS, "real").shape == (0, 32)


def test_another_dimension_is_one_clear_error_and_no_vectors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / paths.VECTORS)
    workspace.configure(folder, workspace.embed_config(model=workspace.model_config(dimension=384)))
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as error:
        work()
    message = str(error.value)
    assert message.startswith("someone/tiny gives vectors of 32 numbers, but its file in conf/model/ says")
    assert "\n" not in message
    assert not paths.VECTORS.exists()


def test_an_error_half_way_leaves_no_vectors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    shutil.rmtree(paths.VECTORS)
    files.write_jsonl(paths.REAL, [{"query": None, "group": "test", "sections": [], "passages": [], "overlap": 0.0}])
    with pytest.raises((TypeError, AttributeError)):
        work()
    assert not paths.VECTORS.exists()


@pytest.mark.parametrize(
    ("language", "languages", "part"),
    [
        ("en", {"en": 90, "de": 10}, None),
        ("en", {"de": 30, "fr": 10, "en": 60, "": 500}, "40 of 100 passages seem to be in others (30 in de, 10 in fr)"),
        ("en", {"": 7}, None),
        (None, {"de": 100}, None),
    ],
)
def test_a_model_of_one_language_on_documents_in_another_is_warned_of(
    language: str | None, languages: dict[str, int], part: str | None
) -> None:
    warning = foreign_language_warning(workspace.model_config(language=language), languages)
    assert (warning is None) == (part is None)
    if warning:
        assert f"knows only one language, en, but {part}: set a multilingual model, `model: bge_m3`" in warning


def contents() -> dict[str, bytes]:
    return {
        path.relative_to(paths.VECTORS).as_posix(): path.read_bytes()
        for path in paths.VECTORS.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("precision", ["fp32", "auto"])  # auto: bf16 where the processor has it
def test_the_bytes_are_the_same_from_any_store_and_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.chdir(folder)
    workspace.configure(folder, workspace.embed_config(precision=precision))
    assert work().startswith("40 of 40 passages and 159 of 160 queries encoded in ")
    from_empty = contents()
    assert work().startswith("0 of 40 passages and 0 of 160 queries")
    assert contents() == from_empty

    passages, queries = list(files.read_jsonl(paths.PASSAGES)), list(files.read_jsonl(paths.QUERIES))
    shutil.rmtree(".fieldtune")
    files.write_jsonl(paths.PASSAGES, passages[::2])
    half = [row for row in queries if row["passage_id"] in {passage["id"] for passage in passages[::2]}]
    files.write_jsonl(paths.QUERIES, half)
    distinct = len({row["query"] for row in half}) + 40
    assert work().startswith(f"20 of 20 passages and {distinct} of 100 queries")
    assert contents() != from_empty
    files.write_jsonl(paths.PASSAGES, random.Random(0).sample(passages, 40))
    files.write_jsonl(paths.QUERIES, random.Random(1).sample(queries, 120))
    assert work().startswith(f"20 of 40 passages and {159 - distinct} of 160 queries")
    assert contents() == from_empty


def test_a_document_more_is_encoded_alone_and_one_less_costs_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    rows = [{**row, "document": f"doc{number // 4}"} for number, row in enumerate(files.read_jsonl(paths.PASSAGES))]
    files.write_jsonl(paths.PASSAGES, rows)
    work()
    before = contents()
    more = [{**rows[0], "id": f"new#{number}", "document": "new", "text": f"word{number}"} for number in range(3)]
    files.write_jsonl(paths.PASSAGES, [*rows[:20], *more, *rows[20:]])
    assert work() == "3 of 43 passages and 0 of 160 queries encoded in fp32"
    after = contents()
    assert sum(before.get(name) != content for name, content in after.items()) == 1
    files.write_jsonl(paths.PASSAGES, rows)
    assert work() == "0 of 40 passages and 0 of 160 queries encoded in fp32"
    assert contents() == before


KILLED = """
import os, signal, stages.embed.__main__ as embed
from fieldtune.models.kept_vectors import VectorStore
put, kept = VectorStore.put, []
def put_and_die(store, keys, vectors):
    put(store, keys, vectors)
    kept.extend(keys)
    if len(kept) > 60:
        os.kill(os.getpid(), signal.SIGKILL)
VectorStore.put = put_and_die
embed.work()
"""


def test_what_a_killed_run_encoded_is_not_encoded_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before = contents()
    environment = {**os.environ, "PYTHONPATH": str(workspace.ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert contents() == before  # whole, or not there
    kept = int(re.fullmatch(r"0 of 40 passages and (\d+) of 160 queries encoded in fp32", work())[1])  # type: ignore[index]
    assert 0 < kept < 140
