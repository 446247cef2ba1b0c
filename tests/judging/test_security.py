"""Requests that are not from the page: refused whatever they ask for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from fieldtune.judging.app import create_app
from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.session import Session
from tests.judging.made_up import TOKEN, TOP, MadeUpSystems, passages

ORIGIN = "http://127.0.0.1:8765"
PRESS = {"person": "me", "action": "unanswered", "query": "number 3"}
HEADERS = {"origin": ORIGIN, "authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[ASGIApp]:
    journal = Journal(tmp_path / "real.judgements.jsonl")
    ranker = Ranker(lambda: (passages(), MadeUpSystems(passages())), TOP)
    ranker.start()
    session = Session(journal, tmp_path / "real.jsonl", ["number 3", "number 5"], ranker, None)
    assert ranker.loaded.wait(10)
    yield create_app(session, TOKEN, "127.0.0.1")
    ranker.close()
    journal.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(app: ASGIApp, path: str, body: Any, base: str = ORIGIN, **headers: str | None) -> httpx.Response:
    given = {name: value for name, value in {**HEADERS, **headers}.items() if value is not None}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        return await client.post(path, json=body, headers=given)


async def judging(app: ASGIApp) -> dict[str, Any]:
    """The view once the candidates are ranked."""
    while True:
        reply = await ask(app, "/api/view", {"person": "me"})
        assert reply.status_code == 200, reply.text
        if (view := reply.json())["phase"] == "judging":
            return dict(view)


@pytest.mark.anyio
async def test_only_the_page_itself_with_its_token_can_ask(app: ASGIApp, tmp_path: Path) -> None:
    await judging(app)
    for headers, status in (
        ({"authorization": None}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Bearer a-token-of-somebody-0"}, 401),
        ({"authorization": "Bearer größe"}, 401),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "evil.example:8765", "origin": "http://evil.example:8765"}, 403),  # DNS rebinding
        ({"host": "127.0.0.1.evil.example", "origin": "http://127.0.0.1.evil.example"}, 403),
        ({"host": "[::", "origin": "http://[::"}, 403),
        ({"content-type": "text/plain"}, 415),  # what a form of another origin may send
    ):
        for path in ("/api/press", "/api/view", "/api/search", "/api/queries"):
            encoded = {name: value.encode() if value else value for name, value in headers.items()}
            reply = await ask(app, path, PRESS, **encoded)  # type: ignore[arg-type]
            assert reply.status_code == status, (headers, path)
            assert "number" not in reply.text
    assert not (tmp_path / "real.jsonl").exists()
    for host in ("localhost:9000", "127.0.0.1:8765", "[::1]:1", "192.0.2.7:80"):
        reply = await ask(app, "/api/view", {"person": "me"}, host=host, origin=f"http://{host}")
        assert reply.status_code == 200, host
    assert (await ask(app, "/api/press", PRESS)).status_code == 200
    assert (tmp_path / "real.jsonl").read_text().startswith('{"query": "number 3", "answered": false, "judged": [')


@pytest.mark.anyio
async def test_every_answer_forbids_what_the_page_does_not_need(app: ASGIApp) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        for path in ("/", "/judge.js", "/", "/api/view", "/none"):
            reply = await client.get(path)
            policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
            assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
            assert policy["script-src"] == policy["connect-src"] == "'self'"
            assert "unsafe" not in reply.headers["content-security-policy"]
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"
            assert len(reply.headers.get_list("content-security-policy")) == 1
        page = (await client.get("/")).text
        assert "://" not in page and "<style" not in page and "onclick" not in page


@pytest.mark.anyio
async def test_what_is_not_a_press_is_refused_and_nothing_is_written(app: ASGIApp, tmp_path: Path) -> None:
    view = await judging(app)
    first = view["candidates"][0]["id"]
    for body, status in (
        ([], 400),
        ({**PRESS, "person": " "}, 400),
        ({**PRESS, "person": "x" * 41}, 400),
        ({**PRESS, "person": "a\nb"}, 400),
        ({**PRESS, "action": "delete"}, 400),
        ({**PRESS, "path": "/etc/passwd"}, 400),
        ({**PRESS, "action": "judge", "passage_id": first, "relevance": 3}, 400),
        ({**PRESS, "action": "judge", "passage_id": "none.md#1"}, 409),
        ({**PRESS, "query": "number 5"}, 409),  # not the one on the screen
        ({**PRESS, "action": "finish"}, 409),
        ({**PRESS, "action": "undo"}, 409),
        ({**PRESS, "action": "settle", "passage_id": first}, 409),
        ({**PRESS, "query": "x" * 300_000}, 413),
    ):
        reply = await ask(app, "/api/press", body)
        assert (reply.status_code, bool(reply.json()["message"])) == (status, True), body
    assert (tmp_path / "real.judgements.jsonl").read_text() == ""


@pytest.mark.anyio
async def test_a_full_disk_is_told_and_the_query_stays(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    await judging(app)
    with monkeypatch.context() as patched:

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("os.fsync", full)
        reply = await ask(app, "/api/press", PRESS)
    assert reply.status_code == 507
    assert reply.json()["message"].startswith("not saved: No space left on device.")
    assert (await judging(app))["query"]["key"] == "number 3"
