"""The Anthropic Messages API over HTTP: one attempt each, every failure an exception without any text of passages.

The requests are those of the official client (a test holds them to it); sending them with aiohttp costs a tenth of
its time, without which two cores do not fill a limit of 50 requests at once.
"""

import asyncio
import email.utils
import json
import os
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import certifi

from fieldtune.runtime.errors import UserError
from stages.generate.reply import without_halves

_VERSION = "2026-10-21"
_LONGEST_WAIT = 600.0  # seconds; a server that asks for more is asked again after it
_SLOW_LINE = 100_000  # bytes per second: so long a body may take to get there, beyond the time for one request
_NO_LIMIT = aiohttp.ClientTimeout(total=None)  # but that of _json


class RefusedError(Exception):
    """The server takes no more requests now (429, 529); nothing was billed."""

    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class BrokenError(Exception):
    """The server failed (5xx and the like); nothing was billed, and another attempt may succeed."""


class UnclearError(Exception):
    """There was no whole reply: it may have been billed, and another attempt may succeed."""


class RejectedError(Exception):
    """The server takes no such request; nothing was billed, and another attempt would not succeed."""


class NotThereError(UserError):
    """The server does not know what was asked for (404)."""


@dataclass(frozen=True)
class Answer:
    """A message, whatever is in it."""

    text: str
    stop_reason: str
    input_tokens: int
    output_tokens: int


def answer(message: Any) -> Answer:
    """Read the JSON of a message. Raises UnclearError where it is none."""
    try:
        text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
        usage = message.get("usage") or {}
        tokens = [int(usage.get(f"{way}_tokens") or 0) for way in ("input", "output")]
        return Answer(without_halves(text), str(message.get("stop_reason")), *tokens)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UnclearError("a reply that is no message") from None


class Api:
    """A server that speaks the API."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, timeout: float) -> None:
        self._session = session
        self._url = base_url.rstrip("/")
        self._timeout = timeout

    async def message(self, request: bytes) -> Answer:
        """POST /v1/messages; `request` is the JSON of its body."""
        return answer(await self._json("POST", "/v1/messages", request))

    async def create_batch(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """POST /v1/messages/batches."""
        body = (await asyncio.to_thread(json.dumps, {"requests": requests})).encode()  # up to 256 MB
        return self._batch(await self._json("POST", "/v1/messages/batches", body, len(body) / _SLOW_LINE))

    async def batch(self, id_: str) -> dict[str, Any]:
        """GET a batch."""
        return self._batch(await self._json("GET", f"/v1/messages/batches/{id_}"))

    async def batches(self) -> list[dict[str, Any]]:
        """The most recent batches, newest first."""
        page = await self._json("GET", "/v1/messages/batches?limit=1000")
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise UnclearError("a reply that is no list of batches")
        return [self._batch(batch) for batch in page["data"]]

    async def results(self, id_: str) -> AsyncIterator[dict[str, Any]]:
        """The results of a batch that has ended, one by one."""
        # Of any length, but never silent for long.
        timeout = aiohttp.ClientTimeout(total=None, sock_read=self._timeout)
        async with self._reply("GET", f"/v1/messages/batches/{id_}/results", None, timeout) as reply:
            line = b""
            # Not by lines: aiohttp bounds their length.
            async for chunk in reply.content.iter_any():
                *lines, line = (line + chunk).split(b"\n")
                for whole in lines:
                    if whole.strip():
                        yield self._result(whole)
            if line.strip():
                yield self._result(line)

    @staticmethod
    def _result(line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
            return {"custom_id": str(value["custom_id"]), "result": dict(value["result"])}
        except (ValueError, KeyError, TypeError):
            raise UnclearError("a result that is no JSON") from None

    @staticmethod
    def _batch(value: Any) -> dict[str, Any]:
        if isinstance(value, dict) and {"id", "processing_status", "created_at", "request_counts"} <= set(value):
            return value
        raise UnclearError("a reply that is no batch")

    async def _json(self, method: str, path: str, body: bytes | None = None, more_time: float = 0.0) -> Any:
        timeout = self._timeout + more_time
        try:
            async with asyncio.timeout(timeout), self._reply(method, path, body) as reply:
                return json.loads(await reply.read())
        except TimeoutError:
            raise UnclearError(f"no reply within {round(timeout, 1):g} s") from None
        except ValueError:
            raise UnclearError("a reply that is no JSON") from None

    @asynccontextmanager
    async def _reply(
        self, method: str, path: str, body: bytes | None, timeout: aiohttp.ClientTimeout = _NO_LIMIT
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(method, self._url + path, data=body, timeout=timeout) as reply:
                if reply.status != 200:
                    await self._fail(reply)
                yield reply
        except aiohttp.ClientConnectorCertificateError as error:
            reason = getattr(error.certificate_error, "verify_message", "unknown")
            raise UserError(
                f"the certificate of {self._url} is not trusted ({reason}); if a proxy looks into connections, name a "
                "file with its authority's certificate in the environment variable SSL_CERT_FILE"
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise BrokenError(f"no connection to {self._url} ({_connection_failure(error.os_error)})") from None
        except aiohttp.InvalidURL:
            raise UserError(f"conf/generator/: messages.base_url is not a URL: {self._url}") from None
        except (aiohttp.ClientError, ConnectionError):
            raise UnclearError("the connection broke") from None

    async def _fail(self, reply: aiohttp.ClientResponse) -> None:
        status = reply.status
        try:
            error = json.loads(await reply.read())["error"]
            kind, message = str(error["type"]), str(error["message"])
        except (ValueError, KeyError, TypeError, aiohttp.ClientError):
            kind, message = "", ""
        # Of the server's words only its own vocabulary is passed on: the message may quote the request.
        kind = f" {kind}" if kind.replace("_", "").isalpha() and len(kind) < 40 else ""
        if status in (401, 403):
            raise UserError(
                f"{self._url} does not accept the API key ({status}{kind}): check the environment variable "
                "ANTHROPIC_API_KEY"
            )
        if status == 404:
            raise NotThereError(
                f"{self._url} does not know the model, or is no server of the Messages API (404): check "
                "messages.model and messages.base_url in conf/generator/"
            )
        if status == 402 or (status == 400 and "credit balance" in message):
            raise UserError(f"{self._url}: the account has no credit left ({status}{kind}): add some, then run again")
        if status in (429, 529):
            raise RefusedError(f"{status}{kind}", _retry_after(reply.headers.get("retry-after")))
        if status >= 500 or status in (408, 409):
            raise BrokenError(f"{status}{kind}")
        raise RejectedError(f"{status}{kind}")


def _connection_failure(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, socket.gaierror):  # its numbers are not those of other errors
        return "no such host" if error.errno == socket.EAI_NONAME else str(error.strerror)
    return os.strerror(error.errno) if error.errno else "no such host"


def _retry_after(header: str | None) -> float | None:
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
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def api_key() -> str:
    """Raises UserError where the environment has none."""
    if key := os.environ.get("ANTHROPIC_API_KEY", "").strip():
        return key
    raise UserError("ANTHROPIC_API_KEY is not set: export it, or choose another `generator:` in params.yaml")


@asynccontextmanager
async def connect(base_url: str, key: str, timeout: float) -> AsyncIterator[Api]:
    """An Api for the time of the block."""
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(certifi.where())  # some Pythons know no authorities of their own
    connector = aiohttp.TCPConnector(limit=0, ssl=trusted)
    headers = {"Authorization": f"Bearer {key}", "anthropic-version": _VERSION, "Content-Type": "application/json"}
    session = aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        proxy=_proxy(base_url),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    async with session:
        yield Api(session, base_url, timeout)


def _proxy(base_url: str) -> str | None:
    """The proxy that the environment names for a URL; aiohttp's `trust_env` would look for it at every request, which
    takes a third of a request's time.
    """
    try:
        url = urllib.parse.urlsplit(base_url)
    except ValueError:
        return None  # the first request says so
    if not url.hostname or urllib.request.proxy_bypass(url.hostname):
        return None
    return urllib.request.getproxies().get(url.scheme)
