"""Requests that people's clients sent, each with the answer that is right: the report of them, line by line."""

import codecs
import gzip
import json
from typing import Any

import pytest

from tests.serve.running import Running

PLAIN = {"input": ["word1 word2"], "model": "fieldtune"}
EXTRA: list[tuple[str, Any, int]] = [  # a parameter beside the input, and the status
    ("model", "text-embedding-3-small", 404),
    ("model", None, 200),
    ("model", "", 404),
    ("model", "openai/fieldtune", 404),
    ("model", "fieldtune:latest", 404),
    ("model", "Fieldtune", 404),
    ("encoding_format", None, 200),
    ("encoding_format", "int8", 400),
    ("dimensions", None, 200),
    ("dimensions", 32, 200),
    ("dimensions", 1536, 400),
    ("dimensions", 16, 400),
    ("user", "u-1", 200),
    ("user", None, 200),
    ("input_type", None, 200),
    ("truncate", "END", 200),
    ("truncate_prompt_tokens", 64, 400),
    ("metadata", {"a": 1}, 200),
    ("metadata", None, 200),
    ("normalize", True, 200),
    ("modality", "text", 200),
    ("task", "retrieval.query", 400),
    ("embedding_type", "float", 200),
    ("embedding_types", ["float"], 400),  # the reply would have another form
    ("output_dimension", 32, 400),
    ("late_chunking", False, 200),
    ("keep_alive", "5m", 200),
    ("stream", False, 200),
    ("timeout", 60, 200),
    ("priority", 0, 200),
    ("input", "", 400),
    ("input", [], 400),
    ("input", ["word1", ""], 400),
    ("input", ["word1", "  \n"], 200),
    ("input", ["word1", None], 400),
    ("input", None, 400),
    ("input", [5, 6, 7], 400),
    ("input", [[5, 6], [7]], 400),
    ("input", [[15339, 1917]], 400),
    ("input", ["a", [5]], 400),
    ("input", [5.0, 6.0], 400),
    ("input", [True], 400),
    ("input", [{"text": "word1"}], 400),
    ("input", [["word1"]], 400),
    ("input", "word1 " * 10_000, 200),
    ("input", "word1 " * 1_500_000, 413),
    ("input", ["word1"] * 2049, 422),
    ("input", ["a\0b"], 200),
]
BODIES: dict[str, tuple[bytes, int, str]] = {  # a body, its status and words of the answer
    "inputs, as TEI has it": (b'{"inputs": ["word1"]}', 400, "`input` is missing"),
    "texts, as Cohere has it": (b'{"texts": ["word1"]}', 400, "`input` is missing"),
    "prompt, as Ollama has it": (b'{"prompt": "word1"}', 400, "`input` is missing"),
    "half of a character": (b'{"input": ["\\ud83d"], "model": "fieldtune"}', 400, "not valid UTF-8 JSON"),
    "NaN": (b'{"input": ["a"], "dimensions": NaN}', 400, "dimensions"),
    "a key twice": (b'{"input": ["a"], "input": ["b"]}', 200, ""),
    "another encoding": (b'{"input": ["a\xff"]}', 400, "not valid UTF-8 JSON"),
    "a byte order mark": (codecs.BOM_UTF8 + b'{"input": ["a"]}', 400, "not valid UTF-8 JSON"),
    "UTF-16": ('{"input": ["e"]}'.encode("utf-16"), 400, "not valid UTF-8 JSON"),
    "depth": (b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, ""),
    "depth elsewhere": (b'{"input": ["a"], "user": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400, ""),
    "nothing": (b"", 400, "not valid UTF-8 JSON"),
    "a list": (b"[]", 400, "JSON object"),
    "a form": (b"input=a", 400, "not valid UTF-8 JSON"),
}
HEADERS: list[tuple[dict[str, str], bytes, int]] = [
    ({"content-type": ""}, json.dumps(PLAIN).encode(), 200),
    ({"content-type": "text/plain"}, json.dumps(PLAIN).encode(), 200),
    ({"content-type": "application/json; charset=iso-8859-1"}, '{"input": ["é"]}'.encode("latin-1"), 400),
    ({"content-encoding": "gzip"}, gzip.compress(json.dumps(PLAIN).encode()), 400),
]
PATHS: list[tuple[str, str, int]] = [
    ("GET", "/", 200),
    ("GET", "/v1", 404),
    ("GET", "/v1/models", 200),
    ("GET", "/v1/models/", 200),
    ("GET", "/models", 200),
    ("GET", "/v1/models/fieldtune", 200),
    ("GET", "/v1/models/fieldtune:query", 200),
    ("GET", "/v1/models/nope", 404),
    ("GET", "/v1/models/x%0d%0aSet-Cookie:a", 404),
    ("GET", "/v1/embeddings", 405),
    ("HEAD", "/health", 200),
    ("HEAD", "/ready", 200),
    ("HEAD", "/", 200),
    ("OPTIONS", "/v1/embeddings", 204),
    ("GET", "/healthz", 404),
    ("GET", "/health/", 200),
    ("GET", "/docs", 404),
    ("GET", "/openapi.json", 200),
    ("GET", "/metrics", 200),
    ("TRACE", "/health", 405),
    ("GET", "/health?x=1", 200),
    ("GET", "/favicon.ico", 404),
    ("POST", "/v1/embeddings/", 200),
    ("POST", "/embeddings", 200),
    ("POST", "/v1/v1/embeddings", 200),
    ("POST", "//v1/embeddings", 200),
    ("POST", "/v1/engines/fieldtune/embeddings", 404),
    ("POST", "/openai/deployments/fieldtune/embeddings?api-version=2024-02-01", 404),
    ("POST", "/embed", 404),
    ("POST", "/v2/embed", 404),
    ("POST", "/api/embed", 404),
    ("POST", "/v1/rerank", 404),
]
SEARCHES: list[tuple[dict[str, Any], int, str | None]] = [  # the request, its status, and `param`
    ({"query": "word1", "top_k": 2}, 200, None),
    ({"query": " "}, 200, None),
    ({"query": "word1", "top_k": 0}, 400, "top_k"),
    ({"query": "word1", "top_k": None}, 200, None),
    ({"query": "word1", "top_k": "3"}, 400, "top_k"),
    ({"query": "word1", "limit": 3}, 400, "limit"),
    ({"query": "word1", "model": "fieldtune:passage"}, 400, "model"),
    ({"query": "word1", "top_k": 1000}, 400, "top_k"),
    ({"query": "word1", "stream": None, "system": None, "source": None}, 200, None),  # two of our own
    ({"query": "word1", "rerank": True}, 400, "rerank"),
]


def held(reply: Any, status: int, param: str | None) -> None:
    assert reply.status_code == status, reply.text[:300]
    if status >= 400:
        error = reply.json()["error"]
        assert sorted(error) == ["code", "message", "param", "type"]
        assert param is None or error["param"] == param


@pytest.mark.parametrize(("name", "value", "status"), EXTRA, ids=lambda value: repr(value)[:30])
def test_a_parameter(service: Running, name: str, value: Any, status: int) -> None:
    held(service.post("/v1/embeddings", PLAIN | {name: value}), status, None if status in (413, 422) else name)


@pytest.mark.parametrize("case", BODIES)
def test_a_body(service: Running, case: str) -> None:
    body, status, words = BODIES[case]
    reply = service.client.post("/v1/embeddings", content=body)
    held(reply, status, None)
    assert words in reply.text


@pytest.mark.parametrize(("headers", "body", "status"), HEADERS)
def test_headers(service: Running, headers: dict[str, str], body: bytes, status: int) -> None:
    held(service.client.post("/v1/embeddings", content=body, headers=headers), status, None)


@pytest.mark.parametrize(("method", "path", "status"), PATHS)
def test_a_path(service: Running, method: str, path: str, status: int) -> None:
    reply = service.client.request(method, path, json=PLAIN if method == "POST" else None)
    held(reply, status, None)
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize(("body", "status", "param"), SEARCHES)
def test_a_search(service: Running, body: dict[str, Any], status: int, param: str | None) -> None:
    held(service.post("/v1/search", body), status, param)
