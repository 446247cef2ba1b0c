"""The HTTP side of a judging: the page's files, and its requests, each checked for where it comes from."""

import hmac
import importlib.resources
import ipaddress
import logging
import platform
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, StringConstraints
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldtune.judging.session import Press, Refused, Session
from fieldtune.runtime.errors import UserError
from fieldtune.serve import page
from fieldtune.serve.schema import ApiError, parse

_MOST_BYTES = 256 * 1024  # of a request
_FILES = {
    "/": ("judge.html", "text/html"),
    "/judge.css": ("judge.css", "text/css"),
    "/judge.js": ("judge.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = page.headers(base_uri="'none'", cache_control="no-store")
_ENCODED = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

log = logging.getLogger(__name__)

_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]*$")
]
_Text = Annotated[StrictStr, StringConstraints(max_length=2000)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="allow")

    person: _Name


class _Pressed(_Asked):
    action: Literal["judge", "finish", "unanswered", "skip", "settle", "undo", "resume"]
    query: StrictStr = ""
    passage_id: StrictStr = ""
    relevance: Annotated[StrictInt, Field(ge=0, le=2)] = 0


class _Typed(_Asked):
    queries: list[_Text]
    start: StrictBool = False


class _Searched(_Asked):
    text: _Text
    by: Literal["words", "meaning"]
    query: StrictStr = ""


def create_app(session: Session, token: str, host: str) -> ASGIApp:
    """The application; `token` must come with every request, and `host` is the address that it listens on."""
    files = {path: _file(name, kind) for path, (name, kind) in _FILES.items()}

    async def file(request: Request) -> Response:
        return files[request.url.path]

    async def view(request: Request) -> Response:
        return _json(session.view(parse(_Asked, await _body(request)).person))

    async def press(request: Request) -> Response:
        body = parse(_Pressed, await _body(request))
        try:
            session.press(body.person, Press(body.action, body.query, body.passage_id, body.relevance))
        except Refused as refused:
            return _json(session.view(body.person) | {"message": str(refused)}, 409)
        return _json(session.view(body.person))

    async def queries(request: Request) -> Response:
        body = parse(_Typed, await _body(request))
        try:
            session.add_queries(body.person, body.queries)
        except Refused as refused:
            return _json(session.view(body.person) | {"message": str(refused)}, 409)
        if body.start:
            session.start(body.person)
        return _json(session.view(body.person))

    async def search(request: Request) -> Response:
        body = parse(_Searched, await _body(request))
        try:
            return _json({"hits": await session.search(body.text, body.by, body.query)})
        except Refused as refused:
            return _json({"hits": [], "message": str(refused)}, 409)

    app = Starlette(
        routes=[
            *(Route(path, file) for path in _FILES),
            *(Route(f"/api/{each.__name__}", each, methods=["POST"]) for each in (view, press, queries, search)),
        ]
    )
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(OSError, _not_saved)
    app.add_exception_handler(UserError, _not_saved)
    return Guard(app, token, _hosts(host))


class Guard:
    """A wrapper that lets through only what the page itself asks for.

    `Host`: a page of another origin whose name was pointed at this address (DNS rebinding) has its own. `Origin`: a
    browser names the page that sends a request. The token: what another origin cannot know. All answers have the
    headers that keep a browser from running or loading anything else.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_ENCODED]
            await send(message)

        refusal = self._refusal(scope["path"], Request(scope).headers)
        await (refusal or self._app)(scope, receive, sent)

    def _refusal(self, path: str, headers: Mapping[str, str]) -> Response | None:
        host = headers.get("host", "")
        if not _is_known(host, self._hosts):
            return _error(403, "the address of this page is not one that it is served at: use the printed link")
        if not path.startswith("/api/"):
            return None
        # A proxy may speak HTTPS to the browser.
        if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return _error(403, "this request is not from the page itself")
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _error(401, "wrong token: use the whole link that `fieldtune judge` printed")
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            return _error(415, "the body must be JSON")
        return None


def _hosts(listening: str) -> frozenset[str]:
    """The names, in small letters, that the machine may be asked by; addresses are always right."""
    names = {"localhost", listening, platform.node(), f"{platform.node()}.local"}
    return frozenset(name.lower() for name in names)


def _is_known(header: str, names: frozenset[str]) -> bool:
    """Tell if a `Host` header is an address, which no page of another name has, or one of the names."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise ApiError(413, f"the request is larger than {_MOST_BYTES:,} bytes")
    return body


def _file(name: str, kind: str) -> Response:
    content = importlib.resources.files("fieldtune.judging").joinpath("page", name).read_bytes()
    return Response(content, media_type=f"{kind}; charset=utf-8")


def _json(value: object, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return _json({"message": message}, status)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _error(error.status, str(error))


async def _not_saved(_: Request, error: Exception) -> Response:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    log.error("not saved", extra={"fields": {"reason": reason}})
    return _error(507, f"not saved: {reason}. Make room on the disk, then press the key again")


async def _client_gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it; as nginx logs it
