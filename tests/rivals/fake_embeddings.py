"""A server of OpenAI's embeddings protocol that encodes with a real, tiny model, and misbehaves on purpose."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from sentence_transformers import SentenceTransformer

from fieldtune.models import encoder


@dataclass
class Fake:
    model: SentenceTransformer
    url: str = ""  # as the official client takes it
    key: str | None = None
    refuse: int = 0  # requests that are still to get 429, with retry-after
    refuse_each: bool = False  # each request is refused once
    latency: float = 0.0  # seconds
    after: int | None = None  # served requests after which all fail with 500
    body: Any = None  # what is answered in place of vectors
    billed: Counter[str] = field(default_factory=Counter)  # texts
    requests: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    served: int = 0
    _refused: set[str] = field(default_factory=set)

    def answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        self.requests += 1
        self.bodies.append(body)
        inputs: list[str] = body["input"]
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return error(401, f"wrong key for {inputs[0]}")
        if self.refuse > 0 or (self.refuse_each and inputs[0] not in self._refused):
            self.refuse -= 1
            self._refused.add(inputs[0])
            return error(429, f"slow down: {inputs[0]}", **{"retry-after": "0.05"})
        if self.after is not None and self.served >= self.after:
            return error(500, inputs[0])
        if self.body is not None:
            return web.json_response(self.body)
        self.served += 1
        self.billed.update(inputs)
        tokens = sum(tokens_of(text) for text in inputs)
        rows = [{"object": "embedding", "index": place, "embedding": v} for place, v in enumerate(self._encode(inputs))]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return web.json_response({"object": "list", "model": body["model"], "data": rows[::-1], "usage": usage})

    def _encode(self, texts: Sequence[str]) -> list[list[float]]:
        # The prefix that a client puts before a text is the model's prompt.
        kind: Any = "query" if texts[0].startswith("query: ") else "document"
        plain = [text.removeprefix("query: ") for text in texts]
        vectors = encoder.encode(self.model, plain, kind, bf16=False, batch_size=8)
        return [[float(number) for number in vector] for vector in vectors]


def tokens_of(text: str) -> int:
    """The tokens that a text is billed for."""
    return len(text.split()) + 2


def error(status: int, message: str, **headers: str) -> web.Response:
    """Errors quote what was sent, as the real ones may."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    return web.json_response(body, status=status, headers=headers)


@contextmanager
def running(model: SentenceTransformer) -> Iterator[Fake]:
    """The server, in a thread."""
    fake, loop, ready = Fake(model), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        await asyncio.sleep(fake.latency)
        if f"{request.url.origin()}{request.path}" != f"{fake.url}/embeddings":
            return error(404, request.path)
        return fake.answer(request, body)

    async def serve() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
