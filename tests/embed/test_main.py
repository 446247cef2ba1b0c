"""The stage as DVC runs it, on a tiny model."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.corpus.vectors import read_vectors
from fieldtune.models import encoder
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.embed.__main__ import foreign_language_warning, work
from tests.train import workspace

NAMES = ("passages", "queries", "real")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workspace.write(tmp_path)
    return tmp_path


def test_every_text_has_its_vector_and_one_line_is_all_that_is_said(folder: Path) -> None:
    status, output = workspace.run("embed", folder)
    assert (status, re.sub(r"\(\d+ s\)", "(… s)", output)) == (
        0,
        "✓ embed  40 passages and 160 queries encoded in fp32  (… s)\n",
    )
    model = SentenceTransformer(str(folder / "own/model"), prompts=workspace.PROMPTS)
    passages = [passage_text(row) for row in files.read_jsonl(folder / paths.PASSAGES)]
    queries, real = ([row["query"] for row in files.read_jsonl(folder / path)] for path in (paths.QUERIES, paths.REAL))
    expected = [model.encode_document(passages), model.encode_query(queries), model.encode_query(real)]
    for name, vectors in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(read_vectors(folder / paths.VECTORS, name), vectors, atol=1e-5)
    assert sorted(path.name for path in (folder / paths.VECTORS).iterdir()) == [
        *(f"{name}.safetensors" for name in NAMES),
        "weights.txt",
    ]


def test_no_real_queries_are_a_table_without_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_text(folder / paths.REAL, "")
    workspace.configure(folder, workspace.embed_config(precision="bf16"))
    monkeypatch.chdir(folder)
    assert work() == "40 passages and 120 queries encoded in bf16"
    assert read_vectors(paths.VECTORS, "real").shape == (0, 32)


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


def test_an_error_half_way_leaves_no_vectors(tmp_path: Path) -> None:
    workspace.write(tmp_path)
    model = encoder.load_folder(tmp_path / "own/model")
    target = tmp_path / "vectors"
    unreadable: list[str] = [None]  # type: ignore[list-item]
    with pytest.raises(TypeError):
        encoder.write_all(model, target, passages=["word1"], queries=unreadable, real=[], bf16=False, batch_size=1)
    assert not target.exists()


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
