"""An export for the service, made by the stage itself around a tiny model, and the service over it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.runtime import paths
from tests.export import inputs
from tests.serve.running import ROOT, Running, running


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its prompts are those of `tests.export.inputs`, it reads 64 tokens, its vectors have 32 numbers."""
    folder = tmp_path_factory.mktemp("served")
    inputs.write(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DVC_"))}
    subprocess.run(
        [sys.executable, "-m", "stages.export"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return folder / paths.EXPORT


@pytest.fixture(scope="session")
def model(export: Path) -> SentenceTransformer:
    """What the service's vectors are held to."""
    return SentenceTransformer(str(export / "model"), device="cpu")


@pytest.fixture(scope="session")
def service(export: Path) -> Iterator[Running]:
    """In float32, so that vectors can be compared closely."""
    with running(export, "--model", "fp32") as started:
        yield started
