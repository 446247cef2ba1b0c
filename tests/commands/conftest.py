"""A repository of its own for each test of a command."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def team(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the test module's `template`, as the working directory."""
    folder = tmp_path / "team"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    return folder
