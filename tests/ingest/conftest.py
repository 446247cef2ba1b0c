"""Reading, where no reader may reach for the network."""

import socket
from pathlib import Path

import pytest

from tests.ingest.reading import Reading


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    def refuse(*_: object) -> None:
        raise AssertionError("a reader reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return Reading(tmp_path)
