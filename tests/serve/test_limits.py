"""What the service refuses: too much at once, too much in one request, and who has no key."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.serve.running import Running, running, text, vectors

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
        ({"input": ["word1"] * 3001}, 422, "3,001 inputs are more than the 3,000 of a request"),
        (many(2400), 422, "153,600 tokens are more than the 150,000 of a request"),
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
    with pytest.raises(httpx.ReadTimeout):
        small.post("/v1/embeddings", many(2300), timeout=0.5)
    deadline = time.monotonic() + 5
    while small.metric("fieldtune_queue_tokens"):
        assert time.monotonic() < deadline
    texts = small.metric("fieldtune_texts_total")
    time.sleep(0.2)
    assert small.metric("fieldtune_texts_total") == texts
    assert [line["status"] for line in small.log() if line["event"] == "request"][-1] == 499


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Authorization": ""}, "no API key"),
        ({"Authorization": "Basic YQ=="}, "no API key"),
        ({"Authorization": "Bearer another key"}, "not the API key"),
        ({"Authorization": f"Bearer {KEY}s"}, "not the API key"),
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


def test_the_key_is_not_in_the_log(small: Running) -> None:
    assert KEY not in str(small.log())
    client = openai.OpenAI(base_url=f"{small.url}/v1", api_key="wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.models.list()
