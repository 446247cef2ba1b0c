"""What the service refuses: too much at once, too much in one request, and who has no key."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import ValidationError
from starlette.types import Message

from fieldtune.serve import app, tokens
from fieldtune.serve.exported import read
from fieldtune.serve.schema import ApiError, EmbeddingsRequest, parse
from fieldtune.serve.settings import API_KEY
from tests.serve.running import Running, running, text, vectors
from tests.serve.test_starting import settings

pytestmark = pytest.mark.integrations

KEY = "a key"


@pytest.fixture(scope="module")
def small(export: Path) -> Iterator[Running]:
    """With a key, and with limits that a test can reach."""
    options = "--max-inputs 3000 --max-tokens 150000 --max-bytes 2000000 --queue-tokens 1000 --batch-tokens 64"
    with running(export, *options.split(), key=KEY) as started:
        started.client.headers["Authorization"] = f"Bearer {KEY}"
        yield started


def many(count: int) -> dict[str, list[str]]:
    """A request of so many texts of 64 tokens."""
    return {"input": [text(1, 61)] * count}


def asking(service: Running, count: int) -> tuple[threading.Thread, list[httpx.Response]]:
    """Ask for many in another thread; returns when they are in the queue."""
    replies: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: replies.append(service.post("/v1/embeddings", many(count))))
    thread.start()
    while service.metric("fieldtune_queue_tokens") == 0:
        assert thread.is_alive()
    return thread, replies


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"input": ["word1"] * 3001}, 422, "3,001 inputs exceed the limit of 3,000 per request"),
        (many(2400), 422, "153,600 tokens exceed the limit of 150,000 per request"),
        ({"input": "x" * 2_000_000}, 413, "the body is larger than 2,000,000 bytes"),
    ],
)
def test_too_much_in_one_request(small: Running, body: dict[str, object], status: int, words: str) -> None:
    reply = small.post("/v1/embeddings", body)
    assert (reply.status_code, reply.json()["error"]["type"]) == (status, "invalid_request_error")
    assert words in reply.json()["error"]["message"]


def test_a_body_without_a_length_is_held_to_the_limit_too(small: Running) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"input": "'
        for _ in range(30):
            yield b"x" * 100_000

    reply = small.client.post("/v1/embeddings", content=parts())
    assert reply.status_code == 413


@pytest.mark.parametrize("member", ["1.5", "{}", '["a"]', '[1, "a"]', "[[1]]"])
def test_what_is_wrong_with_a_large_body_is_not_said_for_each_member(member: str) -> None:
    body = f'{{"input": [{", ".join([member] * 10_000)}]}}'.encode()
    with pytest.raises(ValidationError) as raised:
        EmbeddingsRequest.model_validate_json(body)
    assert raised.value.error_count() <= 5  # one for each form that `input` may have, and what it is in
    many = json.dumps({"input": "word1"} | {str(number): 0 for number in range(10_000)}).encode()
    with pytest.raises(ApiError) as refused:
        parse(EmbeddingsRequest, many)
    assert refused.value.body["error"]["code"] == "unknown_parameter"


def test_while_a_long_text_is_tokenized_others_have_their_turn(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Tokenizer.encode` holds the interpreter's lock, a second for half a million characters."""
    reader = tokens.Reader(read(export))
    long = text(1, 1000)
    expected = reader._tokenizer.encode(f"{reader._prompts['document']}{long}").ids

    class OnlyBatches:
        encode_batch_fast = reader._tokenizer.encode_batch_fast

    monkeypatch.setattr(reader, "_tokenizer", OnlyBatches)
    result = reader.texts([long], "document")
    assert (result.ids, result.truncated) == ([expected], [0])


@contextmanager
def half_sent(service: Running) -> Iterator[socket.socket]:
    """A connection that has sent a request but for half of its body."""
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port or 0)) as connection:
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(f"{head}{{'input'".encode())
        yield connection


def test_who_breaks_off_is_no_fault_of_the_server(small: Running) -> None:
    before = len(small.log())
    with half_sent(small):
        pass
    deadline = time.monotonic() + 30
    while not (lines := small.log()[before:]):
        assert time.monotonic() < deadline
    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)]


def test_who_is_slow_to_send_takes_nobodys_place(export: Path) -> None:
    with running(export, "--max-requests", "1", key=KEY) as service, half_sent(service):
        headers = {"Authorization": f"Bearer {KEY}"}
        assert vectors(service.post("/v1/embeddings", {"input": "word1"}, headers=headers)).shape == (1, 32)


def test_a_body_that_never_comes_is_given_up(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_UPLOAD", 0.05)
    monkeypatch.delenv(API_KEY, raising=False)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/embeddings", "headers": [],
        "query_string": b"", "root_path": "", "scheme": "http", "client": None, "server": None,
    }  # fmt: skip

    async def ask() -> None:
        await app.create_app(replace(settings(export), max_bytes=1_000_000))(scope, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_full_queue_says_when_to_come_again_and_one_request_always_fits(small: Running) -> None:
    thread, replies = asking(small, 2000)  # 128 times what the queue takes
    refused = small.post("/v1/embeddings", many(1))
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "queue_full"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert small.metric('fieldtune_requests_total{path="/v1/embeddings",status="429"}') == 1
    client = openai.OpenAI(base_url=f"{small.url}/v1", api_key=KEY, max_retries=0)
    with client, pytest.raises(openai.RateLimitError):
        client.embeddings.create(input=many(1)["input"], model="fieldtune")
    thread.join()
    assert vectors(replies[0]).shape == (2000, 32)
    assert small.post("/v1/embeddings", many(1)).status_code == 200


def test_openai_comes_again_by_itself(small: Running) -> None:
    thread, replies = asking(small, 1000)
    with openai.OpenAI(base_url=f"{small.url}/v1", api_key=KEY, max_retries=10) as client:
        assert len(client.embeddings.create(input=many(1)["input"], model="fieldtune").data) == 1
    thread.join()
    assert replies[0].status_code == 200


def test_what_nobody_waits_for_any_more_leaves_the_queue(small: Running) -> None:
    before = small.metric("fieldtune_texts_total")
    with pytest.raises(httpx.ReadTimeout):
        small.post("/v1/embeddings", many(2300), timeout=0.5)
    deadline = time.monotonic() + 5
    while small.metric("fieldtune_queue_tokens"):
        assert time.monotonic() < deadline
    assert small.metric("fieldtune_texts_total") - before < 2300
    assert [line["status"] for line in small.log() if line["event"] == "request"][-1] == 499


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": ""}, "no API key"),
        ({"Authorization": "Basic YQ=="}, "no API key"),
        ({"Authorization": "Bearer another key"}, "wrong API key"),
        ({"Authorization": f"Bearer {KEY}s"}, "wrong API key"),
        ({"Authorization": "Bearer"}, "no API key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/search", "/v1/models", "/v1/models/fieldtune"])
def test_nothing_is_said_without_the_key(small: Running, path: str, headers: dict[str, str], words: str) -> None:
    method = "GET" if "models" in path else "POST"
    reply = small.client.request(method, path, headers=headers, content=b"not even JSON")
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert words in reply.json()["error"]["message"]


def test_who_watches_the_service_needs_no_key(small: Running) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert httpx.get(f"{small.url}{path}").status_code == 200


def test_no_key_is_in_the_log(small: Running) -> None:
    client = openai.OpenAI(base_url=f"{small.url}/v1", api_key="zyxwrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    assert small.log()[-1]["status"] == 401
    assert KEY not in str(small.log())
    assert "zyxwrong" not in str(small.log())
