"""The HTTP service: OpenAI's embeddings API over an export, and search with its recommended system."""

import asyncio
import base64
import hmac
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldtune.retrieval import ranking
from fieldtune.retrieval.exported_search import ExportedSearch, Hit
from fieldtune.retrieval.systems import label
from fieldtune.serve import backends, exported, metrics, openapi, page, routes, schema, tokens
from fieldtune.serve.backends import Vectors
from fieldtune.serve.batching import Batcher, QueueFull
from fieldtune.serve.exported import Kind
from fieldtune.serve.judged import JudgedQueries, answer_rank
from fieldtune.serve.schema import ApiError, CompareRequest, EmbeddingsRequest, SearchRequest
from fieldtune.serve.settings import API_KEY as API_KEY
from fieldtune.serve.settings import ServeSettings, api_key

_UPLOAD = 30.0  # seconds that a request's body may take
_BODIES = 32  # of the largest size that may be in memory at once
_NO_INDEX = "the export has no vectors/ and search/ to search in"
_TAG = {"query": "query", "passage": "document"}  # `<name>:<tag>`, for clients that cannot send `input_type`

log = logging.getLogger(__name__)


class Service:
    """The loaded model and everything around it."""

    def __init__(self, settings: ServeSettings) -> None:
        export = exported.read(settings.folder)
        which = backends.choose(export, settings.model)
        self.settings = settings
        self.exported = export
        weights = export.weights(which)
        searched = [path for path in sorted(export.search.rglob("*")) if path.is_file()]
        export.check([export.tokenizer, *weights, export.vectors, *searched])
        self.reader = tokens.Reader(export)
        self.backend = backends.open_backend(export, which, settings.threads)
        self.index = None
        if export.vectors.is_file() and export.search.is_dir():
            self.index = ExportedSearch(export.folder, self.backend.dimension, settings.vectors)
        self.judged = JudgedQueries(export.folder)
        self.batcher = Batcher(
            self.backend,
            batch_tokens=settings.batch_tokens or self.backend.batch_tokens,
            queue_tokens=settings.queue_tokens,
        )
        self.sha256 = export.sha256.get(weights[0].relative_to(export.folder).as_posix())
        self.started = int(time.time())
        self.models = [settings.name, *(f"{settings.name}:{tag}" for tag in _TAG)]
        self.key = api_key()
        self._in_hand = 0
        self._body_bytes = 0  # of all requests in memory
        self._tokenizing = ThreadPoolExecutor(2, "tokenizer")

    def kind(self, model: str | None, input_type: schema.InputType | None, searches: bool = False) -> Kind:
        """The prompt to use. Raises ApiError for an unknown model and for a contradiction."""
        if model is not None and model not in self.models:
            raise ApiError(
                404,
                f"the model {model[:100]!r} does not exist; available: {', '.join(self.models)}",
                code="model_not_found",
                param="model",
            )
        named = _TAG.get((model or "").removeprefix(self.settings.name).removeprefix(":"))
        if searches:
            if named == "document":
                raise ApiError(400, f"`model` says {model}, and a query is searched for", param="model")
            return "query"
        requested = schema.KINDS[input_type] if input_type else None
        if named and requested and named != requested:
            raise ApiError(400, f"`model` says {model}, but `input_type` says {input_type}", param="input_type")
        return "query" if "query" in (named, requested) else "document"

    def searchable(self) -> ExportedSearch:
        """The export's search. Raises ApiError (404) if it has none."""
        if self.index is None:
            raise ApiError(404, _NO_INDEX)
        return self.index

    @asynccontextmanager
    async def in_hand(self) -> AsyncIterator[None]:
        """A request's place among the open ones. Raises ApiError (429) if none is free."""
        if self._in_hand >= self.settings.max_requests:
            raise _too_many(1)
        self._in_hand += 1
        metrics.IN_FLIGHT.inc()
        try:
            yield
        finally:
            self._in_hand -= 1
            metrics.IN_FLIGHT.dec()

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """A request's body, which counts among those in memory until the request is answered.

        Raises ApiError for one that is too large (413), before it is all here, or late (408), and if the bodies in
        memory leave no room for it (429).
        """
        parts: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(_UPLOAD):
                    await self._receive(request, parts)
            except TimeoutError as error:
                message = f"no complete body within {_UPLOAD:.0f} s"
                raise ApiError(408, message, headers={"Connection": "close"}) from error
            yield b"".join(parts)
        finally:
            self._body_bytes -= sum(map(len, parts))

    async def _receive(self, request: Request, parts: list[bytes]) -> None:
        limit = self.settings.max_bytes
        too_large = ApiError(413, f"the body is larger than {limit:,} bytes")
        if int(request.headers.get("content-length", 0)) > limit:
            raise too_large
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            if self._body_bytes + len(part) > _BODIES * limit:
                raise _too_many(1)
            self._body_bytes += len(part)
            parts.append(part)

    async def read(self, inputs: Sequence[str] | Sequence[Sequence[int]], kind: Kind) -> tokens.Tokens:
        """The inputs' tokens. Raises ApiError for too many inputs or tokens, and for token ids of another tokenizer."""
        limit = self.settings.max_inputs
        if len(inputs) > limit:
            raise ApiError(422, f"{len(inputs):,} inputs exceed the limit of {limit:,} per request", param="input")
        are_texts = bool(inputs) and isinstance(inputs[0], str)
        by_ids = partial(self.reader.ids, bare=self.settings.token_ids)
        read: Callable[..., tokens.Tokens] = self.reader.texts if are_texts else by_ids
        try:
            if sum(map(len, inputs)) <= tokens.SHORT:
                result = read(inputs, kind)
            else:
                result = await asyncio.get_running_loop().run_in_executor(self._tokenizing, read, inputs, kind)
        except tokens.ForeignIds as error:
            raise ApiError(400, str(error), param="input") from error
        if result.count > (limit := self.settings.max_tokens):
            raise ApiError(422, f"{result.count:,} tokens exceed the limit of {limit:,} per request", param="input")
        metrics.TRUNCATED.inc(len(result.truncated))
        return result

    async def encode(self, request: Request, read: tokens.Tokens) -> Vectors:
        """The tokens' vectors. Raises ApiError if the queue is full, and ClientGone if the client no longer waits."""
        request.state.log.update(inputs=len(read.ids), tokens=read.count, truncated=len(read.truncated))
        work = asyncio.ensure_future(self.batcher.encode(read.ids))
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            return work.result()
        except QueueFull as error:
            raise _too_many(error.retry_after) from error
        finally:
            work.cancel()
            gone.cancel()

    def cut(self, vectors: Vectors, dimensions: int | None) -> Vectors:
        """Unit vectors of the first `dimensions` numbers. Raises ApiError if the model was not trained for that."""
        own = self.backend.dimension
        if dimensions is None or dimensions == own:
            return vectors
        if dimensions not in self.sizes:
            sizes = ", ".join(map(str, self.sizes))
            raise ApiError(400, f"`dimensions` is {dimensions}; available: {sizes}", param="dimensions")
        short = vectors[:, :dimensions]
        return np.asarray(short / np.linalg.norm(short, axis=1, keepdims=True), dtype=np.float32)

    @property
    def sizes(self) -> list[int]:
        """The sizes that the vectors may have."""
        return sorted({*self.exported.matryoshka, self.backend.dimension})

    def describe(self, name: str) -> dict[str, Any]:
        """A model as `/v1/models` lists it."""
        return {
            "id": name,
            "object": "model",
            "created": self.started,
            "owned_by": "fieldtune",
            "dimension": self.backend.dimension,
            "matryoshka": self.exported.matryoshka,
            "max_tokens": self.exported.max_tokens,
            "backend": self.backend.name,
            "sha256": self.sha256,
        }


class ClientGone(Exception):
    """The client closed its connection before it had its answer."""


def create_app(settings: ServeSettings) -> ASGIApp:
    """Load the export and build the application. Raises UserError if the export is incomplete."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        batches = asyncio.create_task(service.batcher.run())
        log.info("ready", extra={"fields": {"process": os.getpid(), **service.describe(settings.name)}})
        yield
        batches.cancel()
        log.info("stopped", extra={"fields": {"process": os.getpid()}})

    # Without /docs, a page that loads its scripts from elsewhere.
    app = FastAPI(title="fieldtune", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    app.include_router(_watched)
    app.include_router(_v1)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _routing_error)
    app.add_exception_handler(ClientGone, _client_gone)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _server_error)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after"],
        )
    described = openapi.describe(
        app, service.models, service.sizes, key=bool(service.key), ids=settings.token_ids
    )  # the routes are all there
    app.openapi = lambda: described  # type: ignore[method-assign]
    return Watched(app, settings.prefix)


# For machines that watch the service.

_watched = APIRouter()


@_watched.get("/", responses=openapi.root_responses())
async def root(request: Request) -> Response:
    """The search page for browsers; for load balancers, which ask for this path by default, what there is."""
    service: Service = request.app.state.service
    if page.is_wanted(request.headers.get("accept", "")):
        return page.file(page.PAGE, service.settings.prefix)
    return _json({"service": "fieldtune", "paths": routes.ALL}, headers={"Vary": "Accept"})


@_watched.get("/page/{name}", include_in_schema=False)
async def page_file(name: str) -> Response:
    """A file of the search page."""
    if name not in page.NAMES:
        raise HTTPException(404)
    return page.file(name)


@_watched.get("/health", responses=openapi.watched_responses("The process is alive"))
async def health() -> Response:
    """The process is alive."""
    return _json({"status": "ok"})


@_watched.get("/ready", responses=openapi.watched_responses("The model is loaded", (503, "The service is stopping")))
async def ready(request: Request) -> Response:
    """Requests are answered: the model is loaded, and the service is not shutting down."""
    if _draining(request.scope):
        return _json({"status": "stopping"}, 503)
    return _json({"status": "ready"})


@_watched.get("/metrics", response_class=PlainTextResponse, responses=openapi.metrics_responses())
async def prometheus() -> Response:
    """The metrics of all workers."""
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


# For clients.


async def _authorized(request: Request) -> None:
    service: Service = request.app.state.service
    if not service.key:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        message = "no API key: send it as `Authorization: Bearer <key>`"
    # Headers are read as Latin-1, whatever the client wrote.
    elif hmac.compare_digest(given.strip().encode("latin-1"), service.key.encode("utf-8", "surrogateescape")):
        return
    else:
        message = "wrong API key"
    raise ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


_v1 = APIRouter(prefix="/v1", dependencies=[Depends(_authorized)])


@_v1.post(
    "/embeddings",
    openapi_extra=openapi.body(EmbeddingsRequest),
    responses=openapi.responses(openapi.EmbeddingsReply, "The inputs' vectors, in their order"),
)
async def embeddings(request: Request) -> Response:
    """Encode texts."""
    service: Service = request.app.state.service
    async with service.body(request) as body, service.in_hand():
        payload = schema.parse(EmbeddingsRequest, body)
        kind = service.kind(payload.model, payload.input_type)
        service.cut(np.ones((1, service.backend.dimension), dtype=np.float32), payload.dimensions)
        read = await service.read(_inputs(payload), kind)
        vectors = service.cut(await service.encode(request, read), payload.dimensions)
        encoded = (
            [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
            if payload.encoding_format == "base64"
            else list(vectors)
        )
        return _json(
            {
                "object": "list",
                "model": service.settings.name,
                "data": [
                    {"object": "embedding", "index": row, "embedding": vector} for row, vector in enumerate(encoded)
                ],
                "usage": {"prompt_tokens": read.count, "total_tokens": read.count},
                "truncated": read.truncated,
            }
        )


@_v1.post(
    "/search",
    openapi_extra=openapi.body(SearchRequest),
    responses=openapi.responses(openapi.SearchReply, "The sections that the system ranks first"),
)
async def find(request: Request) -> Response:
    """Answer with the sections that the recommended system, or another one, ranks first for a query."""
    service: Service = request.app.state.service
    index = service.searchable()
    async with service.body(request) as body, service.in_hand():
        payload = schema.parse(SearchRequest, body)
        service.kind(payload.model, None, searches=True)
        system = payload.system or index.recommended
        if system not in index.systems:
            raise ApiError(400, f"no such system; available: {', '.join(index.systems)}", param="system")
        read, vector = await _query(request, payload.query, [system])
        hits = await asyncio.to_thread(
            index.search, system, payload.query, vector, payload.top_k or 10, payload.source or ""
        )
        count = read.count if read else 0
        return _json(
            {
                "object": "list",
                "model": service.settings.name,
                "system": system,
                "data": [_result(hit) for hit in hits],
                "usage": {"prompt_tokens": count, "total_tokens": count},
                "truncated": bool(read and read.truncated),
            }
        )


async def _query(
    request: Request, query: str, systems: Sequence[str]
) -> tuple[tokens.Tokens | None, npt.NDArray[np.float32] | None]:
    """A query's tokens and vector; None if no system needs them. Raises ApiError if it is empty."""
    service: Service = request.app.state.service
    assert service.index is not None
    if not query:
        raise ApiError(400, "`query` is empty", param="query")
    if not any(service.index.systems[system].needs_model for system in systems):
        return None, None
    read = await service.read([query], "query")
    return read, (await service.encode(request, read))[0]


@_v1.get("/compare", responses=openapi.read_responses(openapi.Compared, "The systems that can be compared"))
async def compared(request: Request) -> Response:
    """Name the systems, as the search page needs them before the first query."""
    service: Service = request.app.state.service
    index = service.index
    return _json(
        {
            "systems": [] if index is None else _systems(index),
            "texts": index is not None and index.has_texts,
            "examples": service.judged.examples(),
        }
    )


@_v1.post(
    "/compare",
    openapi_extra=openapi.body(CompareRequest),
    responses=openapi.responses(openapi.ComparedReply, "The sections that each system ranks first"),
)
async def compare(request: Request) -> Response:
    """Answer with the sections that each system of the export ranks first for a query."""
    service: Service = request.app.state.service
    index = service.searchable()
    async with service.body(request) as body, service.in_hand():
        payload = schema.parse(CompareRequest, body)
        service.kind(payload.model, None, searches=True)
        read, vector = await _query(request, payload.query, list(index.systems))
        grades = service.judged.grades(payload.query)
        systems = []
        for about in _systems(index):
            arguments = (about["system"], payload.query, vector, ranking.DEPTH, payload.source or "")
            hits = await asyncio.to_thread(index.search, *arguments)
            rank = answer_rank([hit.section for hit in hits], grades)
            data = [{**_result(hit), "language": hit.language} for hit in hits[: payload.top_k or 10]]
            systems.append({**about, "answer_rank": rank, "data": data})
        count = read.count if read else 0
        return _json(
            {
                "object": "list",
                "model": service.settings.name,
                "judged": grades is not None,
                "answers": [{"section": section, "grade": grade} for section, grade in (grades or {}).items()],
                "systems": systems,
                "usage": {"prompt_tokens": count, "total_tokens": count},
                "truncated": bool(read and read.truncated),
            }
        )


def _systems(index: ExportedSearch) -> list[dict[str, Any]]:
    """The systems of an export, the recommended one first."""
    names = sorted(index.systems, key=lambda name: name != index.recommended)
    return [{"system": name, "label": label(name), "recommended": name == index.recommended} for name in names]


def _result(hit: Hit) -> dict[str, Any]:
    """A section as `/v1/search` answers it: its best passage, with title and text if they were exported."""
    place = {"id": hit.id, "source": hit.source, "section": hit.section}
    shown = {} if hit.text is None else {"title": hit.title, "text": hit.text}
    return {"object": "search.result", **place, "score": hit.score, **shown}


@_v1.get("/models", responses=openapi.read_responses(openapi.ModelList, "The names that requests may have"))
async def models(request: Request) -> Response:
    """The names that requests may have."""
    service: Service = request.app.state.service
    return _json({"object": "list", "data": [service.describe(name) for name in service.models]})


@_v1.get("/models/{name:path}", responses=openapi.read_responses(openapi.Model, "What is served under the name"))
async def model(request: Request, name: str) -> Response:
    """One of these names."""
    service: Service = request.app.state.service
    service.kind(name, None)
    return _json(service.describe(name))


def _inputs(payload: EmbeddingsRequest) -> Sequence[str] | Sequence[Sequence[int]]:
    """The inputs as a list. Raises ApiError if there are none, or one is empty."""
    given: Any = payload.input
    inputs = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    if not inputs:
        raise ApiError(400, "`input` is empty", param="input")
    if (empty := next((row for row, each in enumerate(inputs) if len(each) == 0), None)) is not None:
        raise ApiError(400, f"`input`: number {empty} is empty", param="input")
    checked: Sequence[str] | Sequence[Sequence[int]] = inputs
    return checked


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_many(retry_after: int) -> ApiError:
    return ApiError(
        429,
        f"too many requests are waiting: try again in {retry_after} s",
        type="rate_limit_error",
        code="queue_full",
        headers={"Retry-After": str(retry_after)},
    )


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, headers, media_type="application/json")


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _json(error.body, error.status, error.headers)


async def _routing_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    path = request.url.path
    if error.status_code == 405:
        methods = {*headers.get("Allow", "GET").split(", "), "OPTIONS"}
        headers["Allow"] = ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        message = f"{request.method} {path[:100]}: the path takes {headers['Allow']}"
    elif error.status_code == 404:
        message = f"{request.method} {path[:100]}: no such path; {routes.hint(path)}"
    else:
        message = f"{request.method} {path[:100]}: {error.detail}"
    return _json(ApiError(error.status_code, message).body, error.status_code, headers)


async def _client_gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; as nginx logs it


async def _server_error(_: Request, error: Exception) -> Response:
    return _json(ApiError(500, "internal error; see the service's log", type="server_error").body, 500)


class Watched:
    """A wrapper around the application: the path that is meant; an id, a log line and the metrics for each request."""

    def __init__(self, app: FastAPI, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._known = {*routes.V1, *routes.WATCHED}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        path = routes.canonical(scope["path"], self._prefix)
        # A copy: the server leaves out the body of what it knows as HEAD.
        scope = {**scope, "method": "GET" if method == "HEAD" else method, "path": path, "raw_path": path.encode()}
        started = time.perf_counter()
        status = 500
        name = uuid.uuid4().hex
        fields: dict[str, Any] = {}
        scope.setdefault("state", {})["log"] = fields

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", name.encode()))
                if _draining(scope):
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            seconds = time.perf_counter() - started
            label = path if path in self._known else "other"
            metrics.REQUESTS.labels(label, status).inc()
            metrics.REQUEST_SECONDS.labels(label).observe(seconds)
            if label not in routes.WATCHED:
                at = {"id": name, "method": method, "path": label, "status": status}
                log.info("request", extra={"fields": {**at, "ms": round(1000 * seconds, 2), **fields}})


def _draining(scope: Scope) -> bool:
    """True if the server is stopping; set by `connection.Connection`."""
    return bool(scope.get("state", {}).get("draining"))
