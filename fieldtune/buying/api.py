"""A server's API through its official client: one attempt each, every failure an exception without any text of what was
sent. What is retried, and what an attempt may cost, is decided elsewhere.
"""

import asyncio
import email.utils
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from fieldtune.buying import network
from fieldtune.buying.refusals import (
    LONGEST_WAIT,
    Server,
    UnclearError,
    field_names,
    page_in_reply,
    refusal,
    status_of_error,
)
from fieldtune.runtime.errors import UserError


class Api:
    """A server that speaks an API. `client` and `sdk` are the official package's."""

    _base_error: str  # the class of all errors of the package

    def __init__(self, client: Any, sdk: Any, server: Server, timeout: float) -> None:
        self._client = client
        self._sdk = sdk
        self.server = server
        self._timeout = timeout

    async def json(self, path: str, body: bytes | None = None, more_time: float = 0.0) -> Any:
        """The JSON of a reply: to a GET, or to a POST of `body`."""
        async with self.attempt(path, self._timeout + more_time, body):
            if body is None:
                reply = await self._client.get(path, cast_to=httpx2.Response)
            else:
                reply = await self._client.post(path, cast_to=httpx2.Response, content=body)
        if page := page_in_reply(self.server, reply.content):
            raise page
        try:
            value = json.loads(reply.content)
        except (ValueError, RecursionError):
            raise UnclearError("a reply that is not JSON") from None
        if status := status_of_error(value):
            raise refusal(self.server, path, status, reply.content, _fields(body))
        return value

    @asynccontextmanager
    async def attempt(self, path: str, seconds: float | None, body: bytes | None) -> AsyncIterator[None]:
        """Turn what the official client raises, whose exceptions hold requests and replies, into our own."""
        sdk = self._sdk
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise UnclearError(f"no reply within {round(seconds or 0, 1):g} s") from None
        except sdk.APIStatusError as error:
            refused = error.response
            wait = _wait_named_in(refused.headers)
            raise refusal(self.server, path, refused.status_code, refused.content, _fields(body), wait) from None
        except (sdk.APIConnectionError, httpx2.HTTPError) as error:
            raise network.connection_failure(error, str(self.server)) from None
        except getattr(sdk, self._base_error) as error:
            kind = type(error).__name__
            raise UserError(f"the official client cannot ask {self.server} ({kind})") from None


def _fields(body: bytes | None) -> set[str]:
    """The names of the fields of a request, or of the requests of a batch."""
    request = json.loads(body) if body else {}
    if batched := request.get("requests"):
        request = batched[0]["params"]
    return field_names(request)


def _wait_named_in(headers: httpx2.Headers) -> float | None:
    """Seconds that the server asks to wait."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.replace(".", "", 1).isdigit():
        return retry_after(str(float(milliseconds) / 1000))
    return retry_after(headers.get("retry-after"))


def retry_after(header: str | None) -> float | None:
    """Seconds, from a number of them or a date."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


@asynccontextmanager
async def http(server: Server, timeout: float) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client for the time of the block; `timeout` is in seconds, for one request.

    Raises UserError if the environment's proxy cannot be used.
    """
    quiet_clients()
    timeouts = httpx2.Timeout(None, connect=min(timeout, network.CONNECT))
    async with network.http_client(server, timeouts) as client:
        yield client


def quiet_clients() -> None:
    """Keep the official clients from logging whole requests, as they do at ANTHROPIC_LOG=debug."""
    for name in ("anthropic", "openai", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def openai_client(base_url: str, key: str, http: httpx2.AsyncClient, extra: str, what: str) -> tuple[Any, Any]:
    """OpenAI's client and its module, which `what` needs and `extra` installs. Raises UserError if it is not here."""
    try:
        import openai
    except ImportError:
        raise UserError(f"{what} needs the package openai: pip install 'fieldtune[{extra}]'") from None
    ours = {"Authorization": f"Bearer {key}", "OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=base_url,
        default_headers=ours,  # type: ignore[arg-type]  # or those of the environment are sent
        max_retries=0,
        http_client=http,
        timeout=http.timeout,
    )
    return client, openai
