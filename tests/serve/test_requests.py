"""Requests as the clients of other services send them: null, other parameters, other paths and methods."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel

from fieldtune.runtime.errors import UserError
from fieldtune.serve import app, backends, schema
from fieldtune.serve.schema import EmbeddingsRequest, SearchRequest, WithoutEffect
from fieldtune.serve.settings import API_KEY, api_key
from tests.serve.running import Running, running, vectors
from tests.serve.test_starting import settings

TEXT = {"/v1/embeddings": {"input": "word1"}, "/v1/search": {"query": "word1"}}
KINDS: dict[str, type[BaseModel]] = {"/v1/embeddings": EmbeddingsRequest, "/v1/search": SearchRequest}
OPTIONAL = [
    (path, name) for path, kind in KINDS.items() for name, field in kind.model_fields.items() if not field.is_required()
]


@pytest.mark.parametrize(("path", "name"), OPTIONAL)
def test_null_is_the_same_as_not_given(service: Running, path: str, name: str) -> None:
    given, plain = (service.post(path, TEXT[path] | extra) for extra in ({name: None}, {}))
    assert given.status_code == 200, given.text
    assert given.json() == plain.json()


@pytest.mark.parametrize("path", TEXT)
def test_an_unknown_parameter_is_named_unless_it_is_null(service: Running, path: str) -> None:
    assert service.post(path, TEXT[path] | {"proxy": None, "": None}).status_code == 200
    for name in ("task", "truncate_prompt_tokens", "output_dimension", "", "x" * 500):
        reply = service.post(path, TEXT[path] | {"proxy": None, name: 64})
        error = reply.json()["error"]
        assert (reply.status_code, error["param"], error["code"]) == (400, name[:100], "unknown_parameter")
        assert error["message"].startswith(f"`{name[:100]}`: unknown parameter; available: ")
        assert "truncate" not in error["message"].removeprefix(f"`{name}`")  # nor what has no effect


WITHOUT_EFFECT: list[tuple[str, Any]] = [
    ("user", "u-1"), ("metadata", {"a": 1}), ("truncate", "END"), ("truncate", True), ("stream", False),
    ("normalize", True), ("modality", "text"), ("timeout", 60), ("keep_alive", "5m"), ("priority", 0),
    ("proxy_server_request", {"url": "x"}), ("embedding_type", "float"), ("late_chunking", False),
]  # fmt: skip
WITH_EFFECT: list[tuple[str, Any]] = [
    ("truncate", "START"), ("truncate", "NONE"), ("truncate", False), ("stream", True), ("normalize", False),
    ("modality", "image"), ("embedding_type", "binary"), ("late_chunking", True),
]  # fmt: skip


@pytest.mark.parametrize("path", TEXT)
def test_what_changes_nothing_is_accepted_and_what_would_is_not(service: Running, path: str) -> None:
    plain = service.post(path, TEXT[path]).json()
    for name, value in WITHOUT_EFFECT:
        assert service.post(path, TEXT[path] | {name: value}).json() == plain, (name, value)
    for name, value in WITH_EFFECT:
        reply = service.post(path, TEXT[path] | {name: value})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, name), (name, value)
    assert {name for name, _ in WITHOUT_EFFECT} <= set(WithoutEffect.model_fields)


def test_a_search_speaks_of_its_own_parameters(service: Running) -> None:
    error = service.post("/v1/search", {"query": "word1", "model": "fieldtune:passage"}).json()["error"]
    assert error["param"] == "model"
    assert "input_type" not in error["message"]


@pytest.mark.parametrize(
    "path",
    ["/embeddings", "/v1/embeddings/", "//v1/embeddings", "/v1/v1/embeddings", "/v1//embeddings//", "/embeddings/"],
)
def test_paths_near_the_right_one_are_answered_and_not_redirected(service: Running, path: str) -> None:
    reply = service.post(path, {"input": "word1"})
    assert (reply.status_code, len(reply.history)) == (200, 0)
    assert service.post(path, {}).json()["error"]["param"] == "input"


@pytest.mark.parametrize("path", ["/v1/models/", "/models", "/models/fieldtune", "/v1/models/fieldtune:query/", "/"])
def test_so_are_those_that_are_read(service: Running, path: str) -> None:
    assert service.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/embeddings", "did you mean /v1/embeddings? If a proxy adds /api: `fieldtune serve --prefix /api`"),
        ("/openai/deployments/fieldtune/embeddings", "did you mean /v1/embeddings?"),
        ("/api/embed", "available: /v1/embeddings, /v1/search"),
        ("/v2/embed", "available: /v1/embeddings, /v1/search"),
    ],
)  # fmt: skip
def test_other_paths_are_told_the_right_one(service: Running, path: str, words: str) -> None:
    reply = service.post(path, {"input": "word1"})
    assert (reply.status_code, words in reply.json()["error"]["message"]) == (404, True), reply.text


@pytest.mark.parametrize(
    ("path", "status"), [("/health", 200), ("/ready", 200), ("/", 200), ("/v1/models", 200), ("/v1/embeddings", 405)]
)
def test_head_is_get_without_a_body(service: Running, path: str, status: int) -> None:
    got, asked = service.get(path), service.client.request("HEAD", path)
    assert (asked.status_code, asked.content) == (status, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]


def test_options_say_what_a_path_takes(service: Running) -> None:
    for path, allowed in (
        ("/v1/embeddings", "OPTIONS, POST"), ("/v1/models", "GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"),
    ):  # fmt: skip
        reply = service.client.request("OPTIONS", path, headers={"Origin": "http://localhost:3000"})
        assert (reply.status_code, reply.headers["allow"], reply.content) == (204, allowed, b"")
        assert "access-control-allow-origin" not in reply.headers
    assert service.client.request("OPTIONS", "/nowhere").status_code == 404
    assert service.client.request("DELETE", "/v1/embeddings").headers["allow"] == "OPTIONS, POST"


@pytest.fixture(scope="module")
def proxied(export: Path) -> Any:
    page = "https://app.example.com"
    with running(export, "--prefix", "embed/", "--cors-origin", page, key="k\u00e9y\r\n", ready=1) as started:
        yield started


def test_behind_a_prefix(proxied: Running) -> None:
    for path in ("/embed/health", "/health", "/embed/", "/embed"):
        assert proxied.get(path).status_code == 200, path
    headers = {b"Authorization": "bearer k\u00e9y".encode()}
    for path in ("/embed/v1/embeddings", "/v1/embeddings", "/embed/v1/embeddings/"):
        assert vectors(proxied.client.post(path, json={"input": "word1"}, headers=headers)).shape == (1, 32)
    assert proxied.get("/embedded/health").status_code == 404


def test_the_pages_that_are_named_may_ask_and_need_no_key_to_ask_whether_they_may(proxied: Running) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    mine, other = ({"Origin": f"https://{name}.example.com"} for name in ("app", "other"))
    may = proxied.client.request("OPTIONS", "/embed/v1/embeddings", headers=mine | asking)
    assert (may.status_code, may.headers["access-control-allow-origin"]) == (200, mine["Origin"])
    assert "authorization" in may.headers["access-control-allow-headers"].lower()
    denied = proxied.client.request("OPTIONS", "/embed/v1/embeddings", headers=other | asking)
    assert "access-control-allow-origin" not in denied.headers
    refused = proxied.client.post("/v1/embeddings", json={"input": "word1"}, headers=mine)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, mine["Origin"])


@pytest.mark.parametrize(("given", "key"), [("", ""), ("a\n", "a"), (" a\r\n", "a"), ("a key", "a key")])
def test_a_line_end_is_no_part_of_a_key(monkeypatch: pytest.MonkeyPatch, given: str, key: str) -> None:
    monkeypatch.setenv(API_KEY, given)
    assert api_key() == key


@pytest.mark.parametrize("given", ["\n", "  ", "a\nb", "a\x1bb"])
def test_a_key_that_nobody_can_send_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(API_KEY, given)
    with pytest.raises(UserError, match=f"{API_KEY} (is blank|has a line break)"):
        api_key()


class Broken:
    """A backend whose vectors for texts of 5 tokens are not finite."""

    name, dimension, batch_tokens, run_cost, at_once = "broken", 32, 256, 16, 0

    def __init__(self, value: float) -> None:
        self._value = value

    def encode(self, ids: list[list[int]]) -> NDArray[np.float32]:
        rows = np.full((len(ids), 32), 32**-0.5, dtype=np.float32)
        rows[[len(each) == 5 for each in ids], 3] = self._value
        return rows


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_a_500_of_its_request_alone(
    export: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: float
) -> None:
    monkeypatch.setattr(backends, "open_backend", lambda *_: Broken(value))
    monkeypatch.delenv(API_KEY, raising=False)
    limits = {"queue_tokens": 1000, "max_requests": 9, "max_inputs": 9, "max_tokens": 999, "max_bytes": 9999}
    service = app.create_app(replace(settings(export), **limits))  # type: ignore[arg-type]

    async def ask() -> list[httpx.Response]:
        inner = service._app  # type: ignore[attr-defined]
        transport = httpx.ASGITransport(service, raise_app_exceptions=False)
        async with (
            inner.router.lifespan_context(inner),
            httpx.AsyncClient(transport=transport, base_url="http://a") as c,
        ):
            requests = [c.post("/v1/embeddings", json={"input": text}) for text in ("word1 word2", "word1", "word3")]
            return await asyncio.gather(*requests)

    with caplog.at_level(logging.ERROR, "fieldtune.serve.batching"):
        broken, *sound = asyncio.run(ask())
    assert (broken.status_code, broken.json()["error"]["type"]) == (500, "server_error")
    assert [reply.status_code for reply in sound] == [200, 200]
    assert [line.getMessage() for line in caplog.records] == ["the model gave vectors with NaN or infinity"]


def test_bodies_in_memory_have_a_largest_sum(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_BODIES", 2)
    monkeypatch.delenv(API_KEY, raising=False)
    service = app.Service(replace(settings(export), max_bytes=10))

    class Request:
        headers: dict[str, str] = {}  # noqa: RUF012

        async def stream(self) -> Any:
            yield b"x" * 10

    async def hold() -> None:
        request: Any = Request()
        async with service.body(request) as first, service.body(request):
            assert first == b"x" * 10
            with pytest.raises(schema.ApiError) as refused:
                await service.body(request).__aenter__()
            assert refused.value.status == 429
        async with service.body(request):
            pass

    asyncio.run(hold())
