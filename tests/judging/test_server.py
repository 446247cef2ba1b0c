"""When what ranks is loaded: after the page is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.server import _LOADED_UNSEEN, _Server
from fieldtune.judging.session import Session
from tests.judging.made_up import TOP, MadeUpSystems, passages

QUERY = "number 3"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[_Server, Session, Ranker]]:
    ranker = Ranker(lambda: (passages(), MadeUpSystems(passages())), TOP)
    journal = Journal(tmp_path / "real.judgements.jsonl")
    session = Session(journal, tmp_path / "real.jsonl", [QUERY], ranker, None)
    server = _Server(uvicorn.Config(lambda: None), session, ranker)
    server.config.load()
    yield server, session, ranker
    ranker.close()
    journal.close()


@pytest.mark.anyio
async def test_models_are_loaded_when_the_page_was_opened(running: tuple[_Server, Session, Ranker]) -> None:
    server, session, ranker = running
    assert not await server.on_tick(0)
    assert not ranker.loaded.wait(0.2)
    assert session.view("me")["phase"] == "waiting"
    assert not await server.on_tick(1)
    assert ranker.loaded.wait(10)
    while ranker.pool(QUERY) is None:  # it was wanted before the models were there
        pass


@pytest.mark.anyio
async def test_models_are_loaded_in_a_while_if_nobody_opens_it(running: tuple[_Server, Session, Ranker]) -> None:
    server, _, ranker = running
    assert not await server.on_tick(_LOADED_UNSEEN)
    assert ranker.loaded.wait(10)
