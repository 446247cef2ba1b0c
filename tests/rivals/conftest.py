"""A tiny model, a server that encodes with it, and a folder with what the stage reads."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from tests.rivals import fake_embeddings, workspace
from tests.rivals.fake_embeddings import Fake
from tests.tiny_model import tiny_model


@pytest.fixture(autouse=True)
def no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("OPENAI_", "ANTHROPIC_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def server(model: SentenceTransformer) -> Iterator[Fake]:
    with fake_embeddings.running(model) as fake:
        yield fake


@pytest.fixture
def folder(tmp_path: Path, model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> Path:
    workspace.prepare(tmp_path, model)
    monkeypatch.chdir(tmp_path)
    return tmp_path
