"""A server of OpenAI's embeddings protocol, through OpenAI's own client."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fieldtune.buying import network
from fieldtune.buying.api import Api, http, openai_client
from fieldtune.buying.refusals import EMBEDDINGS, Server, Settings
from fieldtune.runtime.errors import UserError
from stages.rivals import config

_BASE_URL = "; `url` is what OpenAI's client takes as base_url, such as https://api.openai.com/v1"
_NO_KEY = "none"  # for a server of one's own that wants none; the official client sends some


class EmbeddingsApi(Api):
    """A server that speaks OpenAI's embeddings API."""

    _base_error = "OpenAIError"

    async def embeddings(self, request: bytes) -> Any:
        """Send a request for vectors; `request` is the JSON of its body."""
        return await self.json(EMBEDDINGS, request)


def access(name: str, settings: config.Api, place: str, environment: Mapping[str, str]) -> tuple[Server, str]:
    """The server and the key to it. Raises UserError for a URL or a key that cannot be used."""
    words = Settings(f"{place}: {name}", "`url`", "`key_env`", "`model`", _BASE_URL)
    url = network.checked_url(settings.url, f"{place}: {name}: url")
    server = Server(url, settings.key_env, True, settings.model, words)
    if settings.key_env is None:
        return server, _NO_KEY
    if key := network.checked_key(environment.get(settings.key_env, ""), settings.key_env):
        return server, key
    raise UserError(f"{settings.key_env}, which {place} names for {name}, is not set: export it")


@asynccontextmanager
async def connect(server: Server, key: str, timeout: float) -> AsyncIterator[EmbeddingsApi]:
    """An API for the time of the block. `timeout` is in seconds, for one request."""
    async with http(server, timeout) as client:
        sdk = openai_client(str(server), key, client, "api", "an embeddings API among the rivals")
        yield EmbeddingsApi(*sdk, server, timeout)
