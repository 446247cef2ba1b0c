"""What the service answers: vectors, prompts, counts, errors."""

import base64
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import ranking
from fieldtune.runtime import paths
from tests.serve.running import Running, cosines, running, text, vectors
from tests.tiny_model import DIMENSION

TEXTS = [text(number, words) for number, words in enumerate((1, 5, 40, 3, 17, 2, 90, 61, 300, 8))]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"input_type": "query"}, "query"),
        ({"input_type": "search_query"}, "query"),
        ({"model": "fieldtune:query"}, "query"),
        ({"input_type": "passage"}, "document"),
        ({"input_type": "document", "model": "fieldtune"}, "document"),
        ({"input_type": "search_document"}, "document"),
        ({"model": "fieldtune:passage"}, "document"),
        ({}, "document"),
    ],
)
def test_vectors_are_those_of_sentence_transformers_with_its_prompts(
    service: Running, model: SentenceTransformer, options: dict[str, str], kind: str
) -> None:
    expected = {"query": model.encode_query(TEXTS), "document": model.encode_document(TEXTS)}
    got = vectors(service.post("/v1/embeddings", {"input": TEXTS, **options}))
    assert cosines(got, expected[kind]).min() >= 0.9999
    assert cosines(expected["query"], expected["document"]).mean() < 0.99  # else the prompts would do nothing
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "backend", "least"),
    [([], "int8 on the CPU", 0.95), (["--model", "torch"], "torch on the CPU", 0.9999)],
    ids=["default", "torch"],
)
def test_other_backends_give_the_same_vectors(
    export: Path, model: SentenceTransformer, options: list[str], backend: str, least: float
) -> None:
    with running(export, *options) as started:
        got = vectors(started.post("/v1/embeddings", {"input": TEXTS}))
        assert started.get("/v1/models/fieldtune").json()["backend"] == backend
    assert cosines(got, model.encode_document(TEXTS)).min() >= least


def test_a_single_text_is_a_list_of_one_and_is_counted(service: Running) -> None:
    reply = service.post("/v1/embeddings", {"input": "word5 word6", "model": "fieldtune", "user": "me"}).json()
    assert {name: value for name, value in reply.items() if name != "data"} == {
        "object": "list",
        "model": "fieldtune",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},  # <s>, the prompt's word3, two words, </s>
        "truncated": [],
    }
    assert [(each["object"], each["index"], len(each["embedding"])) for each in reply["data"]] == [
        ("embedding", 0, DIMENSION)
    ]


def test_base64_is_the_same_float32_numbers(service: Running) -> None:
    plain = vectors(service.post("/v1/embeddings", {"input": TEXTS[:3]}))
    packed = service.post("/v1/embeddings", {"input": TEXTS[:3], "encoding_format": "base64"}).json()["data"]
    rows = [np.frombuffer(base64.b64decode(each["embedding"]), dtype="<f4") for each in packed]
    np.testing.assert_allclose(np.stack(rows), plain, atol=1e-6)


def test_token_ids_with_special_tokens_give_the_vectors_of_their_text(
    service: Running, model: SentenceTransformer
) -> None:
    of_text = vectors(service.post("/v1/embeddings", {"input": TEXTS, "input_type": "query"}))
    ids = [model.tokenizer(each)["input_ids"] for each in TEXTS]
    reply = service.post("/v1/embeddings", {"input": ids, "input_type": "query"})
    np.testing.assert_allclose(vectors(reply), of_text, atol=1e-5)
    single = vectors(service.post("/v1/embeddings", {"input": ids[1], "input_type": "query"}))
    np.testing.assert_allclose(single, of_text[1:2], atol=1e-5)


@pytest.mark.parametrize(
    "ids",
    [
        [15, 17],  # as LangChain sends "hello world": two ids, here inside the vocabulary
        [[0, 5, 6, 2], [15, 17]],  # the first alone has <s> and </s>
        [0, 5, 6],
        [5, 6, 2],
        [0],
        [2, 5, 0],
    ],
)
def test_token_ids_that_may_be_of_another_tokenizer_are_refused(service: Running, ids: list[Any]) -> None:
    reply = service.post("/v1/embeddings", {"input": ids})
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (400, "input")
    row = 1 if isinstance(ids[0], list) else 0
    assert error["message"].startswith(f"`input`: number {row} may be of another tokenizer")
    assert "([0, …, 2])" in error["message"]
    assert "check_embedding_ctx_length=False" in error["message"]
    assert "--token-ids" in error["message"]


def test_what_was_cut_is_said_and_counted(service: Running) -> None:
    # 64 tokens: two special ones and the prompt's word3 leave 61 words.
    before = service.metric("fieldtune_truncated_texts_total")
    given = [text(1, 61), text(2, 62), text(3, 5), text(4, 1000)]
    reply = service.post("/v1/embeddings", {"input": given}).json()
    assert reply["truncated"] == [1, 3]
    assert reply["usage"]["prompt_tokens"] == 64 + 64 + 8 + 64
    assert service.metric("fieldtune_truncated_texts_total") == before + 2
    ids = [[0, *(4 + row % 60 for row in range(count)), 2] for count in (61, 62)]  # ids 0 to 3 are special
    assert service.post("/v1/embeddings", {"input": ids}).json()["truncated"] == [1]


def test_search_answers_with_the_recommended_system(service: Running, export: Path, model: SentenceTransformer) -> None:
    query = text(7, 6)
    table = pq.read_table(export / "vectors/passages.parquet")
    scores = np.array(table["vector"].to_pylist(), dtype=np.float32) @ model.encode_query([query])[0]
    order = np.argsort(-scores)[:5]
    reply = service.post("/v1/search", {"query": query, "top_k": 5}).json()
    assert reply["system"] == "tuned"
    assert [hit["id"] for hit in reply["data"]] == [table["id"][int(row)].as_py() for row in order]
    np.testing.assert_allclose([hit["score"] for hit in reply["data"]], scores[order], atol=1e-5)
    assert reply["data"][0].keys() == {"object", "id", "source", "section", "score"}  # texts were not exported
    assert (reply["usage"]["prompt_tokens"], reply["truncated"]) == (10, False)  # two special, two of the prompt
    assert len(service.post("/v1/search", {"query": query, "top_k": 100}).json()["data"]) == len(scores)
    assert len(service.post("/v1/search", {"query": query}).json()["data"]) == 10


@pytest.mark.parametrize("system", ["tuned", "bm25", "bm25_fields", "tuned_hybrid"])
def test_search_ranks_as_the_system_was_evaluated(
    service: Running, export: Path, model: SentenceTransformer, system: str
) -> None:
    query = f"{text(7, 6)} zyxpassage word5"
    passages = list(files.read_jsonl(export.parent.parent / paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    table = pq.read_table(export / "vectors/passages.parquet")
    vectors_of_passages = np.array(table["vector"].to_pylist(), dtype=np.float32)
    dense = ranking.dense(model.encode_query([query]), vectors_of_passages, corpus)
    words = ranking.bm25_fields([query], corpus, (0.0, 0.1))
    fused = ranking.fuse(dense, words[0.1], corpus, 0.7)
    expected = {"tuned": dense, "bm25": words[0.0], "bm25_fields": words[0.1], "tuned_hybrid": fused}[system]
    reply = service.post("/v1/search", {"query": query, "system": system, "top_k": 20}).json()
    assert reply["system"] == system
    assert [hit["section"] for hit in reply["data"]] == [corpus.sections[s] for s in expected.sections[0, :20]]
    np.testing.assert_allclose([hit["score"] for hit in reply["data"]], expected.scores[0, :20], atol=1e-4)
    assert (reply["usage"]["prompt_tokens"] == 0) == system.startswith("bm25")  # no text is encoded
    assert service.post("/v1/search", {"query": query, "system": system, "source": "other"}).json()["data"] == []
    inside = service.post("/v1/search", {"query": query, "system": system, "source": "doc"}).json()["data"]
    assert inside == reply["data"][:10]


def test_models_say_what_is_served(service: Running, export: Path) -> None:
    listed = service.get("/v1/models").json()
    assert [each["id"] for each in listed["data"]] == ["fieldtune", "fieldtune:query", "fieldtune:passage"]
    one = service.get("/v1/models/fieldtune").json()
    assert one == listed["data"][0]
    assert (one["object"], one["dimension"], one["max_tokens"]) == ("model", DIMENSION, 64)
    assert one["sha256"] == files.sha256(export / "onnx/model.onnx")


def test_shorter_vectors_where_the_model_was_trained_for_them_and_fp32_where_int8_was_not_exported(
    service: Running, export: Path, model: SentenceTransformer, tmp_path: Path
) -> None:
    shutil.copytree(export, tmp_path / "export")
    (tmp_path / "export/onnx/model_quantized.onnx").unlink()
    config = tmp_path / "export/model/config.json"
    files.write_json(config, {**files.read_json(config), "matryoshka_dimensions": [8, 16]})
    cut = model.encode_document(TEXTS)[:, :8]
    expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    with running(tmp_path / "export", "--name", "me/search", "--token-ids") as started:
        assert started.get("/v1/models/me%2Fsearch").json()["backend"] == "fp32 on the CPU"
        got = vectors(started.post("/v1/embeddings", {"input": TEXTS, "dimensions": 8}))
        assert cosines(got, expected).min() >= 0.9999
        refused = started.post("/v1/embeddings", {"input": TEXTS, "dimensions": 9})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "dimensions")
        assert "available: 8, 16, 32" in refused.text
        # Started with it, the service takes token ids as this model's own, whatever stands around them.
        ids = [model.tokenizer(each, add_special_tokens=False)["input_ids"] for each in TEXTS]
        bare = vectors(started.post("/v1/embeddings", {"input": ids, "dimensions": 8}))
        np.testing.assert_allclose(bare, got, atol=1e-5)
    # The model of `service` was not.
    assert vectors(service.post("/v1/embeddings", {"input": "word1", "dimensions": 32})).shape == (1, 32)
    assert service.post("/v1/embeddings", {"input": "word1", "dimensions": 8}).status_code == 400


INPUT = "must be a text, a list of texts, a list of token ids or a list of such lists"


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        (b"", 400, None, "not valid UTF-8 JSON"),
        (b"{", 400, None, "not valid UTF-8 JSON"),
        (b"[]", 400, None, "must be a JSON object"),
        (b'"text"', 400, None, "must be a JSON object"),
        (b"{}", 400, "input", "`input` is missing"),
        (b'{"input": null}', 400, "input", INPUT),
        (b'{"input": 5}', 400, "input", INPUT),
        (b'{"input": {"text": "word1"}}', 400, "input", INPUT),
        (b'{"input": ["word1", 5]}', 400, "input", INPUT),
        (b'{"input": [[5], "word1"]}', 400, "input", INPUT),
        (b'{"input": [[["word1"]]]}', 400, "input", INPUT),
        (b'{"input": [true]}', 400, "input", INPUT),
        (b'{"input": [5.5]}', 400, "input", INPUT),
        (b'{"input": [5.0]}', 400, "input", INPUT),
        (b'{"input": [NaN]}', 400, "input", INPUT),
        (b'{"input": [[5, NaN]]}', 400, "input", INPUT),
        (b'{"input": [Infinity]}', 400, "input", INPUT),
        (b'{"input": [-1]}', 400, "input", "token id -1 is not in this model's vocabulary of 64"),
        (b'{"input": [[5], [64]]}', 400, "input", "token id 64 is not in this model's vocabulary"),
        (b'{"input": [100000000000000000000000000]}', 400, "input", "vocabulary"),
        (b'{"input": ""}', 400, "input", "empty"),
        (b'{"input": []}', 400, "input", "empty"),
        (b'{"input": ["word1", ""]}', 400, "input", "number 1 is empty"),
        (b'{"input": [[]]}', 400, "input", "number 0 is empty"),
        (b'{"input": "\xff\xfe"}', 400, None, "UTF-8"),
        (b'{"input": "\\ud800"}', 400, None, "not valid UTF-8 JSON"),
        (b'{"input": "word1", "model": "gpt-5"}', 404, "model", "'gpt-5' does not exist; available: fieldtune"),
        (b'{"input": "word1", "model": 5}', 400, "model", "string"),
        (b'{"input": "word1", "encoding_format": "hex"}', 400, "encoding_format", "'float' or 'base64'"),
        (b'{"input": "word1", "dimensions": 0}', 400, "dimensions", "available: 32"),
        (b'{"input": "word1", "dimensions": "32"}', 400, "dimensions", "integer"),
        (b'{"input": "word1", "input_type": "image"}', 400, "input_type", "'query', 'passage'"),
        (b'{"input": "word1", "model": "fieldtune:query", "input_type": "passage"}', 400, "input_type", "says"),
        (b'{"input": "word1", "inputtype": "query"}', 400, "inputtype", "unknown parameter; available: input, model"),
    ],
)
def test_bad_input_is_named_and_never_the_servers_fault(
    service: Running, body: bytes, status: int, param: str | None, words: str
) -> None:
    reply = service.client.post("/v1/embeddings", content=body)
    error: dict[str, Any] = reply.json()["error"]
    assert (reply.status_code, error["type"], error["param"]) == (status, "invalid_request_error", param)
    assert words in error["message"]
    assert sorted(error) == ["code", "message", "param", "type"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "`query` is missing"),
        ({"query": ""}, 400, "empty"),
        ({"query": ["word1"]}, 400, "string"),
        ({"query": "word1", "top_k": 0}, 400, "`top_k`"),
        ({"query": "word1", "top_k": 101}, 400, "`top_k`"),
        ({"query": "word1", "system": "hybrid"}, 400, "available: tuned, bm25, bm25_fields, tuned_hybrid"),
        ({"query": "word1", "source": 5}, 400, "`source`"),
        ({"query": "word1", "model": "other"}, 404, "does not exist"),
    ],
)
def test_bad_searches_too(service: Running, body: dict[str, Any], status: int, words: str) -> None:
    reply = service.post("/v1/search", body)
    assert reply.status_code == status
    assert words in reply.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/embed", 404), ("GET", "/v1/embeddings", 405)])
def test_other_paths_and_methods_have_the_same_shape(service: Running, method: str, path: str, status: int) -> None:
    reply = service.client.request(method, path)
    assert (reply.status_code, reply.json()["error"]["type"]) == (status, "invalid_request_error")
    assert path in reply.json()["error"]["message"]


def test_it_says_that_it_lives_and_is_ready(service: Running) -> None:
    assert service.get("/health").json() == {"status": "ok"}
    assert service.get("/ready").json() == {"status": "ready"}


def test_metrics_count_requests_texts_and_tokens(service: Running) -> None:
    names = [
        'fieldtune_requests_total{path="/v1/embeddings",status="200"}',
        'fieldtune_request_seconds_count{path="/v1/embeddings"}',
        "fieldtune_texts_total",
        "fieldtune_tokens_total",
        "fieldtune_queue_seconds_count",
    ]
    before = [service.metric(name) for name in names]
    service.post("/v1/embeddings", {"input": ["word1", "word2 word3"]})
    after = [service.metric(name) for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 2, 9, 2]
    assert service.metric("fieldtune_requests_in_flight") == service.metric("fieldtune_queue_tokens") == 0


def test_the_log_has_a_line_for_each_request_and_no_text_of_any(service: Running) -> None:
    reply = service.post("/v1/embeddings", {"input": ["zyxsecret word1", "word2"]})
    bad = service.client.post("/v1/embeddings", content=b'{"input": ["zyxsecret"], "zyxkey": 1}')
    lines = {line["id"]: line for line in service.log() if line["event"] == "request"}
    line = lines[reply.headers["x-request-id"]]
    # Five tokens of the first, four of the second.
    assert {name: line[name] for name in ("method", "path", "status", "inputs", "tokens", "truncated")} == {
        "method": "POST", "path": "/v1/embeddings", "status": 200, "inputs": 2, "tokens": 9, "truncated": 0,
    }  # fmt: skip
    assert lines[bad.headers["x-request-id"]]["status"] == 400
    assert "zyx" not in str(service.log())


def test_the_documentation_shows_what_a_request_may_say(service: Running) -> None:
    schema = service.get("/openapi.json").json()
    body = schema["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"input", "model", "encoding_format", "dimensions", "input_type"} <= set(body["properties"])
    assert body["additionalProperties"] is False
    assert service.get("/docs").status_code == 404  # FastAPI's page would load scripts from elsewhere
