"""The clients that people have, by their own packages: what docs/serving.md says to change is all that changes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import openai
import pytest
from sentence_transformers import SentenceTransformer

from tests.serve.running import Running, Vectors, cosines, text

TEXTS = [text(number, 1 + 7 * number) for number in range(12)]
pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # clients that their packages never close
]


@pytest.fixture(scope="module")
def queries(model: SentenceTransformer) -> Vectors:
    return np.asarray(model.encode_query(TEXTS))


@pytest.fixture(scope="module")
def passages(model: SentenceTransformer) -> Vectors:
    return np.asarray(model.encode_document(TEXTS))


def same(got: object, expected: Vectors) -> None:
    assert cosines(np.array(got, dtype=np.float32), expected).min() >= 0.9999


@pytest.mark.parametrize("encoding", ["float", None])  # None: its own choice, base64
def test_openai(service: Running, queries: Vectors, encoding: str | None) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
        options: Any = {"encoding_format": encoding} if encoding else {}
        reply: Any = client.embeddings.create(
            model="fieldtune", input=TEXTS, extra_body={"input_type": "query"}, **options
        )
        same([each.embedding for each in reply.data], queries)
        assert (reply.data[3].index, reply.model) == (3, "fieldtune")
        assert reply.usage.total_tokens > len(TEXTS)
        assert reply.truncated == [9, 10, 11]  # of 64 words and more
        assert [each.id for each in client.models.list()] == ["fieldtune", "fieldtune:query", "fieldtune:passage"]
        assert client.models.retrieve("fieldtune").owned_by == "fieldtune"


def test_openai_knows_our_errors(service: Running) -> None:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="`input` is empty") as refused:
            client.embeddings.create(model="fieldtune", input=[])
        assert refused.value.param == "input"
        with pytest.raises(openai.NotFoundError) as unknown:
            client.embeddings.create(model="text-embedding-3-small", input="word1")
        assert unknown.value.code == "model_not_found"


def test_openai_asynchronously_with_many_at_once(service: Running, passages: Vectors) -> None:
    async def ask() -> list[list[float]]:
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
            replies = [client.embeddings.create(model="fieldtune", input=each) for each in TEXTS]
            return [reply.data[0].embedding for reply in await asyncio.gather(*replies)]

    same(asyncio.run(ask()), passages)


def test_langchain(service: Running, queries: Vectors, passages: Vectors) -> None:
    from langchain_openai import OpenAIEmbeddings

    options: Any = {"base_url": f"{service.url}/v1", "api_key": "none", "check_embedding_ctx_length": False}
    same(OpenAIEmbeddings(model="fieldtune", **options).embed_documents(TEXTS), passages)
    client = OpenAIEmbeddings(model="fieldtune:query", **options)
    same([client.embed_query(each) for each in TEXTS], queries)


def test_llama_index(service: Running, queries: Vectors, passages: Vectors) -> None:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    options: Any = {"api_base": f"{service.url}/v1", "api_key": "none"}
    same(OpenAILikeEmbedding(model_name="fieldtune", **options).get_text_embedding_batch(TEXTS), passages)
    client = OpenAILikeEmbedding(model_name="fieldtune:query", **options)
    same([client.get_query_embedding(each) for each in TEXTS], queries)


def test_haystack(service: Running, queries: Vectors, passages: Vectors) -> None:
    from haystack import Document
    from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
    from haystack.utils import Secret

    key = Secret.from_token("none")
    documents = OpenAIDocumentEmbedder(model="fieldtune", api_base_url=f"{service.url}/v1", api_key=key)
    embedded = documents.run(documents=[Document(content=each) for each in TEXTS])["documents"]
    same([each.embedding for each in embedded], passages)
    client = OpenAITextEmbedder(model="fieldtune:query", api_base_url=f"{service.url}/v1", api_key=key)
    same([client.run(text=each)["embedding"] for each in TEXTS], queries)


def test_answers_are_never_swapped_between_clients(service: Running, model: SentenceTransformer) -> None:
    """32 clients at once, texts of all lengths, one or several a request, both kinds of prompt."""

    def client(number: int) -> list[tuple[str, list[str], list[list[float]]]]:
        drawn = np.random.default_rng(number)
        seen = []
        with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as api:
            for turn in range(8):
                kind = ("query", "passage")[int(drawn.integers(2))]
                count = int(drawn.integers(1, 6))
                texts = [text(10_000 * number + 10 * turn + row, int(drawn.integers(1, 80))) for row in range(count)]
                reply = api.embeddings.create(model=f"fieldtune:{kind}", input=texts)
                seen.append((kind, texts, [each.embedding for each in reply.data]))
        return seen

    with ThreadPoolExecutor(32) as pool:
        seen = [each for of_client in pool.map(client, range(32)) for each in of_client]
    for kind, encode in (("query", model.encode_query), ("passage", model.encode_document)):
        texts = [one for sent_as, given, _ in seen if sent_as == kind for one in given]
        got = np.array([one for sent_as, _, received in seen if sent_as == kind for one in received], dtype=np.float32)
        assert cosines(got, np.asarray(encode(texts))).min() >= 0.9999
        assert len(set(texts)) > 200
