"""A server of the Messages API, or of OpenAI's chat completions, through the official client."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic, RequestOptions

from fieldtune.buying import network
from fieldtune.buying.api import Api as OfficialApi
from fieldtune.buying.api import http, openai_client
from fieldtune.buying.refusals import MESSAGES, Server, UnclearError, bare_url
from fieldtune.runtime.errors import UserError
from stages.generate.answers import Answer, answer, chat_answer
from stages.generate.config import MessagesConfig

_SLOW_LINE = 100_000  # bytes per second: so long a body may take to get there, beyond the time for one request
_BATCHES = f"{MESSAGES}/batches"
_NO_KEY = "none"  # for a server of one's own that wants none; the official clients send some


class Api(OfficialApi):
    """A server that speaks the Messages API."""

    _path = MESSAGES
    _base_error = "AnthropicError"

    async def message(self, request: bytes) -> Answer:
        """Send a request for a message; `request` is the JSON of its body."""
        return self._answer(await self.json(self._path, request))

    def _answer(self, reply: Any) -> Answer:
        if isinstance(reply, dict) and "choices" in reply and "content" not in reply:
            raise UserError(f"{self.server} answers as OpenAI's API does: set messages.protocol to openai")
        return answer(reply)

    async def create_batch(self, requests: list[dict[str, Any]]) -> dict[str, Any]:
        """Submit a batch."""
        body = (await asyncio.to_thread(json.dumps, {"requests": requests})).encode()  # up to 256 MB
        return self._batch(await self.json(_BATCHES, body, len(body) / _SLOW_LINE))

    async def batch(self, id_: str) -> dict[str, Any]:
        """Get a batch."""
        return self._batch(await self.json(f"{_BATCHES}/{id_}"))

    async def batches(self, since: float = 0.0) -> list[dict[str, Any]]:
        """The batches that were created at `since` (seconds since 1970) or later, newest first."""
        batches: list[dict[str, Any]] = []
        async with self.attempt(_BATCHES, self._timeout, None):
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
        async with self.attempt(path, None, None):
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
    server = Server(bare_url(network.checked_url(url, place)), variable, own, config.model)
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
    async with http(server, timeout) as client:
        if protocol == "openai":
            sdk = openai_client(f"{server}/v1", key or _NO_KEY, client, "openai", "messages.protocol: openai")
            yield ChatApi(*sdk, server, timeout)
        else:
            yield Api(_anthropic_client(server, key, client), anthropic, server, timeout)


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
