"""A server of the Messages API, through the official client: one attempt each, every failure an exception without any
text of passages. What is retried, and what an attempt may cost, is decided elsewhere.
"""

import asyncio
import email.utils
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic, RequestOptions

from fieldtune.runtime.errors import UserError
from stages.generate import network
from stages.generate.answers import Answer, answer, chat_answer
from stages.generate.config import MessagesConfig
from stages.generate.refusals import (
    LONGEST_WAIT,
    MESSAGES,
    Server,
    UnclearError,
    field_names,
    page_in_reply,
    refusal,
    status_of_error,
)

_SLOW_LINE = 100_000  # bytes per second: so long a body may take to get there, beyond the time for one request
_BATCHES = f"{MESSAGES}/batches"
_NO_KEY = "none"  # for a server of one's own that wants none; the official clients send some


class Api:
    """A server that speaks the API. `client` and `sdk` are the official package's."""

    _path = MESSAGES
    _base_error = "AnthropicError"

    def __init__(self, client: AsyncAnthropic, sdk: Any, server: Server, timeout: float) -> None:
        self._client = client
        self._sdk = sdk
        self.server = server
        self._timeout = timeout

    async def message(self, request: bytes) -> Answer:
        """Send a request for a message; `request` is the JSON of its body."""
        return self._answer(await self._json(self._path, request))

    def _answer(self, reply: Any) -> Answer:
        if isinstance(reply, dict) and "choices" in reply and "content" not in reply:
            raise UserError(f"{self.server} answers as OpenAI's API does: set messages.protocol to openai")
        return answer(reply)

    async def create_batch(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Submit a batch."""
        body = (await asyncio.to_thread(json.dumps, {"requests": requests})).encode()  # up to 256 MB
        return self._batch(await self._json(_BATCHES, body, len(body) / _SLOW_LINE))

    async def batch(self, id_: str) -> dict[str, Any]:
        """Get a batch."""
        return self._batch(await self._json(f"{_BATCHES}/{id_}"))

    async def batches(self, since: float = 0.0) -> list[dict[str, Any]]:
        """The batches that were created at `since` (seconds since 1970) or later, newest first."""
        batches: list[dict[str, Any]] = []
        async with self._attempt(_BATCHES, self._timeout, None):
            try:
                async for page in (await self._client.messages.batches.list(limit=1000)).iter_pages():
                    rows = [self._batch(batch.to_dict(mode="json", warnings=False)) for batch in _listed(page.data)]
                    recent = [row for row in rows if datetime.fromisoformat(row["created_at"]).timestamp() >= since]
                    batches += recent
                    if len(recent) < len(rows):
                        break
            except (AttributeError, TypeError, ValueError):  # it takes anything for a page
                raise UnclearError("a reply that is not a list of batches") from None
        return batches

    async def results(self, id_: str) -> AsyncIterator[dict[str, Any]]:
        """The results of a batch that has ended, one by one."""
        # Not the official client's `results`: it goes to the URL that the batch names, which a gateway may not know.
        # Of any length, but never silent for long.
        path, streamed, line = f"{_BATCHES}/{id_}/results", True, b""
        options: RequestOptions = {"timeout": self._timeout}
        async with self._attempt(path, None, None):
            reply = await self._client.get(path, cast_to=httpx2.Response, options=options, stream=streamed)
            try:
                async for chunk in reply.aiter_bytes():
                    *lines, line = (line + chunk).split(b"\n")
                    for whole in lines:
                        if whole.strip():
                            yield self._result(whole)
                if line.strip():
                    yield self._result(line)
            finally:
                await reply.aclose()

    @staticmethod
    def _result(line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
            return {"custom_id": str(value["custom_id"]), "result": dict(value["result"])}
        except (ValueError, KeyError, TypeError):
            raise UnclearError("a result that is not JSON") from None

    @staticmethod
    def _batch(value: Any) -> dict[str, Any]:
        if isinstance(value, dict) and {"id", "processing_status", "created_at", "request_counts"} <= set(value):
            return value
        raise UnclearError("a reply that is not a batch")

    async def _json(self, path: str, body: bytes | None = None, more_time: float = 0.0) -> Any:
        """The JSON of a reply: to a GET, or to a POST of `body`."""
        async with self._attempt(path, self._timeout + more_time, body):
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
    async def _attempt(self, path: str, seconds: float | None, body: bytes | None) -> AsyncIterator[None]:
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


class ChatApi(Api):
    """A server that speaks OpenAI's chat completions, through OpenAI's own client."""

    _path = "/chat/completions"  # after the client's base URL, which ends in /v1
    _base_error = "OpenAIError"

    def _answer(self, reply: Any) -> Answer:
        return chat_answer(reply)


def _listed(value: Any) -> list[Any]:
    """A list. Raises TypeError for anything else."""
    if isinstance(value, list):
        return value
    raise TypeError


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
        return _retry_after(str(float(milliseconds) / 1000))
    return _retry_after(headers.get("retry-after"))


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
    return min(max(seconds, 0.0), LONGEST_WAIT)


def access(config: MessagesConfig, *, own: bool) -> tuple[Server, str | None]:
    """The server that the settings and the environment name, and the key to it; None: the official client finds one, as
    in a profile. To a server of one's own (`own`) goes nothing of the environment but what the settings name.

    Raises UserError for a URL or a key that cannot be used, before anything is sent.
    """
    url, place, variable = config.base_url, "messages.base_url in conf/generator/", config.key_variable
    if not own:
        if moved := os.environ.get("ANTHROPIC_BASE_URL", "").strip():
            url, place = moved, "the environment variable ANTHROPIC_BASE_URL"
        variable = variable or _first_set("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    server = Server(network.checked_url(url, place), variable, own, config.model)
    if not variable:
        return server, _NO_KEY if own else None
    if key := network.checked_key(os.environ.get(variable, ""), variable):
        return server, key
    raise UserError(f"{variable}, which messages.key_variable in conf/generator/ names, is not set: export it")


def _first_set(*variables: str) -> str | None:
    return next((variable for variable in variables if os.environ.get(variable, "").strip()), None)


@asynccontextmanager
async def connect(
    server: Server | str, key: str | None, timeout: float, protocol: str = "anthropic"
) -> AsyncIterator[Api]:
    """An Api for the time of the block; `server` may be its URL alone. `timeout` is in seconds, for one request.

    Raises UserError if there is no key, or the environment's proxy or headers cannot be used.
    """
    server = Server(server) if isinstance(server, str) else server
    quiet_clients()
    timeouts = httpx2.Timeout(None, connect=min(timeout, network.CONNECT))
    http = network.http_client(server.url, timeouts)
    async with http:
        if protocol == "openai":
            yield ChatApi(*_openai_client(server, key, http), server, timeout)
        else:
            yield Api(_anthropic_client(server, key, http), anthropic, server, timeout)


def quiet_clients() -> None:
    """Keep the official clients from logging whole requests, as they do at ANTHROPIC_LOG=debug."""
    for name in ("anthropic", "openai", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _anthropic_client(server: Server, key: str | None, http: httpx2.AsyncClient) -> AsyncAnthropic:
    sent = network.custom_headers()
    try:
        client = AsyncAnthropic(
            api_key=key,
            base_url=server.url,
            # Not given, the headers are those of the environment, which a server of one's own is not to see.
            default_headers=_omitted(sent, key) if server.own else None,
            max_retries=0,
            http_client=http,
            timeout=http.timeout,
            open_telemetry=False,
        )
    except anthropic.AnthropicError as error:
        raise UserError(
            f"the official client's profile cannot be used ({type(error).__name__}): export ANTHROPIC_API_KEY"
        ) from None
    authorized = {name.lower() for name in sent} & {"authorization", "x-api-key"}
    if not (client.api_key or client.auth_token or client.credentials or authorized):
        raise UserError(
            "ANTHROPIC_API_KEY is not set (nor ANTHROPIC_AUTH_TOKEN): export it, or choose another `generator:` in "
            "params.yaml"
        )
    return client


def _omitted(headers: Mapping[str, str], key: str | None) -> dict[str, Any]:
    """Arguments by which a client leaves out these headers, and has its own key."""
    return {name: f"Bearer {key}" if name.lower() == "authorization" else anthropic.omit for name in headers}


def _openai_client(server: Server, key: str | None, http: httpx2.AsyncClient) -> tuple[Any, Any]:
    """OpenAI's client and its module. Raises UserError if it is not installed."""
    try:
        import openai
    except ImportError:
        raise UserError("messages.protocol: openai needs the package openai: pip install 'fieldtune[openai]'") from None
    ours = {"Authorization": f"Bearer {key}", "OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
    client = openai.AsyncOpenAI(
        api_key=key,
        base_url=f"{server}/v1",
        default_headers=ours,  # type: ignore[arg-type]  # or those of the environment are sent
        max_retries=0,
        http_client=http,
        timeout=http.timeout,
    )
    return client, openai
