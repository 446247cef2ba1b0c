"""`/openapi.json`: each answer's status and form, and the requests that this service's model takes."""

from collections.abc import Iterable
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel


class Usage(BaseModel):
    """Tokens as the model read them, with prompts and special tokens."""

    prompt_tokens: int
    total_tokens: int


class Embedding(BaseModel):
    """One input's vector, of unit length: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsReply(BaseModel):
    """The answer of `POST /v1/embeddings`. `truncated`: the inputs that were cut, by their index."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: Usage
    truncated: list[int]


class SearchHit(BaseModel):
    """A section by its best passage, and its score. `title` and `text` are there if the export has the texts."""

    object: Literal["search.result"]
    id: str
    source: str
    section: str
    score: float
    title: str | None = None
    text: str | None = None


class SearchReply(BaseModel):
    """The answer of `POST /v1/search`, best first. `truncated`: the query was cut."""

    object: Literal["list"]
    model: str
    system: str
    data: list[SearchHit]
    usage: Usage
    truncated: bool


class ComparedHit(SearchHit):
    """The same, with the language of the texts if it is known."""

    language: str | None = None


class SystemInfo(BaseModel):
    """A system of the export, by its name in requests and its label in the report."""

    system: str
    label: str
    recommended: bool


class ComparedSystem(SystemInfo):
    """The results of a system, best first. `answer_rank`: of the first answer among 100; null: none, or not judged."""

    answer_rank: int | None
    data: list[ComparedHit]


class Grade(BaseModel):
    """A section that answers a judged query: 1, or above if it answers better, below if it does so partly."""

    section: str
    grade: float


class ComparedReply(BaseModel):
    """The answer of `POST /v1/compare`. `judged`: the query is one of the real queries, and has `answers`."""

    object: Literal["list"]
    model: str
    judged: bool
    answers: list[Grade]
    systems: list[ComparedSystem]
    usage: Usage
    truncated: bool


class Compared(BaseModel):
    """The systems to compare. `texts`: results have titles and texts; `examples`: some judged queries."""

    systems: list[SystemInfo]
    texts: bool
    examples: list[str]


class Model(BaseModel):
    """A model as it is served. `matryoshka`: the shorter sizes of its vectors."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    dimension: int
    matryoshka: list[int]
    max_tokens: int
    backend: str
    sha256: str | None


class ModelList(BaseModel):
    """The answer of `GET /v1/models`."""

    object: Literal["list"]
    data: list[Model]


class Status(BaseModel):
    """The state of the process."""

    status: str


class Root(BaseModel):
    """The service and its paths."""

    service: str
    paths: list[str]


class Fault(BaseModel):
    """The fault of a request, as in OpenAI's API."""

    message: str
    type: str
    param: str | None
    code: str | None


class Refusal(BaseModel):
    """The body of every error."""

    error: Fault


Responses = dict[int | str, dict[str, Any]]

_REFUSALS: Responses = {
    400: {"model": Refusal, "description": "The request is not as described here"},
    401: {
        "model": Refusal,
        "description": "No API key, or another one",
        "headers": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    },
    404: {"model": Refusal, "description": "No such model or path"},
    405: {
        "model": Refusal,
        "description": "The path takes another method",
        "headers": {"Allow": {"required": True, "schema": {"type": "string"}}},
    },
    408: {"model": Refusal, "description": "The request was not complete in time"},
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Refusal, "description": "Too many inputs or tokens"},
    429: {
        "model": Refusal,
        "description": "Too many requests are waiting",
        "headers": {"Retry-After": {"required": True, "schema": {"type": "integer"}}},  # seconds
    },
    431: {"model": Refusal, "description": "The headers are too large"},
    500: {"model": Refusal, "description": "The service failed; its log says more"},
}
_WATCHED = (405, 408, 431, 500)
_READING = (*_WATCHED, 400, 401, 404)
_ENCODING = (*_READING, 413, 422, 429)


def responses(reply: type[BaseModel], description: str) -> Responses:
    """Describe the answers of a path that encodes."""
    return _with({200: {"model": reply, "description": description}}, _ENCODING)


def read_responses(reply: type[BaseModel], description: str) -> Responses:
    """Describe the answers of a path that has no body."""
    # 422 would be FastAPI's own description of a wrong parameter, and there is none.
    return _with({200: {"model": reply, "description": description}}, (*_READING, 422))


def watched_responses(description: str, *others: tuple[int, str]) -> Responses:
    """Describe the answers of a path for machines that watch the service; those have no key."""
    described: Responses = {status: {"model": Status, "description": words} for status, words in others}
    return _with({200: {"model": Status, "description": description}, **described}, _WATCHED)


def root_responses() -> Responses:
    """Describe the answers of `/`: a page for browsers, JSON for the rest."""
    described = read_responses(Root, "The service and its paths, or the search page")
    described[200] = {**described[200], "content": {"text/html": {"schema": {"type": "string"}}}}
    return described


def metrics_responses() -> Responses:
    """Describe the answers of /metrics."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return _with({200: {"description": "Metrics in Prometheus's text format", "content": content}}, _WATCHED)


def _with(described: Responses, statuses: Iterable[int]) -> Responses:
    return described | {status: _REFUSALS[status] for status in statuses}


def body(kind: type[BaseModel]) -> dict[str, Any]:
    """Describe a body that is read by hand, for its size and its errors."""
    content = {"application/json": {"schema": kind.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, models: list[str], dimensions: list[int], *, key: bool, ids: bool) -> dict[str, Any]:
    """The document: of this service's `models` and sizes of vectors; with `key` asked for, with token `ids` taken."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for path in ("/v1/embeddings", "/v1/search", "/v1/compare"):
        request = document["paths"][path]["post"]["requestBody"]
        _narrow(request["content"]["application/json"]["schema"], models, dimensions, ids)
    (name,) = document["paths"]["/v1/models/{name}"]["get"]["parameters"]
    name["schema"]["enum"] = models
    if key:
        document.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, operations in document["paths"].items():
            if path.startswith("/v1/"):
                for operation in operations.values():
                    operation["security"] = [{"key": []}]
    else:
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("401", None)
    return document


def _narrow(schema: dict[str, Any], models: list[str], dimensions: list[int], ids: bool) -> None:
    """Write into a request's schema what this model takes."""
    properties = schema["properties"]
    properties["model"]["anyOf"] = [{"enum": models}, {"type": "null"}]
    if "dimensions" in properties:
        properties["dimensions"]["anyOf"] = [{"enum": dimensions}, {"type": "null"}]
    if "input" in properties:
        text: dict[str, Any] = {"type": "string", "minLength": 1}
        forms = [text, {"type": "array", "minItems": 1, "items": text}]
        if ids:  # otherwise only with the model's special tokens around them, which no schema can say
            numbers: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
            forms += [numbers, {"type": "array", "minItems": 1, "items": numbers}]
        properties["input"]["anyOf"] = forms
