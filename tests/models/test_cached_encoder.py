"""An encoder that encodes no text twice, and mixes no vectors of different origin."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tokenizers
import torch
from sentence_transformers import SentenceTransformer

from fieldtune.models import encoder, kept_vectors
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.encoder import load_folder
from tests.tiny_model import WORDS, tiny_model

TEXTS = [" ".join(WORDS[number : number + 1 + number % 7]) for number in range(40)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    made = tiny_model(tmp_path / "transformer")
    made.prompts = {"query": "word1 ", "document": ""}
    made.save(str(tmp_path / "model"), create_model_card=False)
    return tmp_path / "model"


def cached(folder: Path, *, bf16: bool = False, batch_size: int = 8, tuned: bool = False) -> CachedEncoder:
    return CachedEncoder(load_folder(folder), folder, bf16=bf16, batch_size=batch_size, tuned=tuned)


def test_nothing_is_encoded_twice_and_the_bits_are_the_encoders(folder: Path) -> None:
    expected = encoder.encode(load_folder(folder), TEXTS, "document", bf16=False, batch_size=8)
    first = cached(folder)
    np.testing.assert_array_equal(first.encode([TEXTS[3], *TEXTS[:10], TEXTS[3]], "document")[1:11], expected[:10])
    assert first.encoded == 10
    second = cached(folder)
    np.testing.assert_array_equal(second.encode(TEXTS, "document"), expected)
    assert second.encoded == 30
    np.testing.assert_array_equal(second.encode(TEXTS[::-1], "document"), expected[::-1])
    assert second.encoded == 30
    assert second.encode([], "query").shape == (0, 32)


def change_weights(folder: Path, _: pytest.MonkeyPatch) -> None:
    model = load_folder(folder)
    with torch.no_grad():
        next(iter(model.parameters()))[7] += 1
    encoder.save(model, folder)


CHANGES: dict[str, Callable[[CachedEncoder, pytest.MonkeyPatch], object]] = {
    "prompt": lambda one, _: one.model.prompts.update(document="word2 "),
    "limit": lambda one, _: setattr(one.model, "max_seq_length", 5),
    "encoding": lambda _, patch: patch.setattr(encoder, "ENCODING", encoder.ENCODING + 1),
    "torch": lambda _, patch: patch.setattr(torch, "__version__", "0"),
    "tokenizers": lambda _, patch: patch.setattr(tokenizers, "__version__", "0"),
    "processor": lambda _, patch: patch.setattr("platform.machine", lambda: "other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_vectors_of_another_origin_are_encoded(folder: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(folder).encode(TEXTS, "document")
    one = cached(folder)
    CHANGES[change](one, monkeypatch)
    one.encode(TEXTS[:5], "document")
    assert one.encoded == 5


def test_so_are_those_of_other_weights_arithmetic_shapes_and_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(folder).encode(TEXTS, "document")
    others = [cached(folder, bf16=True), cached(folder, batch_size=1)]
    for one in others:
        one.encode(TEXTS[:5], "document")
    query = cached(folder)
    query.encode(TEXTS[:5], "query")
    change_weights(folder, monkeypatch)
    changed = cached(folder)
    changed.encode(TEXTS[:5], "document")
    assert [one.encoded for one in (*others, query, changed)] == [5, 5, 5, 5]
    assert len(kept_vectors.kept()) == 2


def test_an_experiment_in_a_folder_of_its_own_finds_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached(folder).encode(TEXTS, "document")
    experiment = folder.parent / ".dvc/tmp/exps/one"
    (experiment / ".dvc").mkdir(parents=True)
    (experiment / ".dvc/config").write_text(f"[cache]\n    dir = {folder.parent}/.dvc/cache\n")
    monkeypatch.chdir(experiment)
    one = cached(folder)
    one.encode(TEXTS, "document")
    assert one.encoded == 0


def test_a_model_that_changes_in_training_has_no_business_here(folder: Path) -> None:
    """The encoder itself asks no store: it is what training measures with."""
    model: SentenceTransformer = load_folder(folder)
    encoder.encode(model, TEXTS, "document", bf16=False, batch_size=8)
    assert not kept_vectors.folder().exists()
