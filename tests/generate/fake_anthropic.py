"""A real HTTP server on 127.0.0.1 that speaks the Messages and Message Batches API, bills, and misbehaves on command.

`python -m tests.generate.fake_anthropic` prints its port and serves until it is ended. `POST /control` sets what
`Behaviour` has; `GET /stats` tells what was asked and billed.

A fault is `{"do": …, "times": n, "match": text}`: it befalls the next `times` requests (always, without it) whose
user message holds `text` (any, without it). `do`: `status` (with `status`, `retry_after`), `slow` (with `seconds`),
`cut`, `malformed`, `odd` (JSON that is no message), `refusal`, `truncated`, `say` (with `text`), and for one request
of a batch `errored`, `expired`, `canceled`.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KINDS = ("task", "question", "keyword", "problem")
_ROOT = Path(__file__).parents[2]


@dataclass
class Behaviour:
    latency: float = 0.0  # seconds of a normal reply
    at_once: int | None = None  # more requests than this at once get a 429
    faults: list[dict[str, Any]] = field(default_factory=list)
    key: str | None = None  # the API key that is right; None: any
    batch_seconds: float = 0.0  # from a batch's creation to its end
    forget_batches: bool = False  # those that are there now
    hide_batch_ids: bool = False  # create the batch, then cut the reply
    unlisted: int = 0  # so many of the next lists do not have the newest batch yet


@dataclass
class Stats:
    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    billed: Counter[str] = field(default_factory=Counter)  # by the user message's first line
    input_tokens: int = 0
    output_tokens: int = 0
    most_at_once: int = 0
    busy: float = 0.0  # seconds in which requests were under way, summed over them
    batches: list[int] = field(default_factory=list)  # requests of each
    sent: list[dict[str, Any]] = field(default_factory=list)  # the first few requests: path, headers, body
    keys: list[str] = field(default_factory=list)  # API keys seen


def name_of(params: dict[str, Any]) -> str:
    return str(params["messages"][0]["content"]).partition("\n")[0]


def queries_for(user: str, kinds: Sequence[str] = KINDS) -> list[dict[str, str]]:
    """Four queries as the server answers them for a user message, always the same."""
    mark = hashlib.sha256(user.encode()).hexdigest()[:8]
    names = kinds if len(kinds) > 1 else [f"{kinds[0]} {number}" for number in range(4)]
    return [{"kind": name.split()[0], "query": f"{name} about {mark}"} for name in names]


def kinds_of(params: dict[str, Any]) -> list[str]:
    """The kinds that a request's schema names."""
    item = params["output_config"]["format"]["schema"]["properties"]["queries"]["items"]
    kinds: list[str] = item["properties"]["kind"]["enum"]
    return kinds


def _key(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")


class Server:
    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.stats = Stats()
        self.at_once = 0
        self.batches: dict[str, dict[str, Any]] = {}

    def _fault(self, user: str, *, batch: bool = False) -> dict[str, Any]:
        for fault in self.behaviour.faults:
            fits = fault.get("match", "") in user and (fault["do"] in ("errored", "expired", "canceled")) <= batch
            if fits and fault.get("times", 1) > 0:
                if "times" in fault:
                    fault["times"] -= 1
                return fault
        return {"do": None}

    def _message(self, params: dict[str, Any], fault: dict[str, Any]) -> dict[str, Any]:
        """Bill a request and answer it."""
        user = params["messages"][0]["content"]
        text = fault.get("text", json.dumps({"queries": queries_for(user, kinds_of(params))}))
        stop = {"refusal": "refusal", "truncated": "max_tokens"}.get(fault["do"], "end_turn")
        if stop != "end_turn":
            text = text[: len(text) // 2] if stop == "max_tokens" else ""
        usage = {"input_tokens": len(params["system"] + user) // 4, "output_tokens": max(1, len(text) // 4)}
        self.stats.billed[name_of(params)] += 1
        self.stats.input_tokens += usage["input_tokens"]
        self.stats.output_tokens += usage["output_tokens"]
        content = [{"type": "text", "text": text}] if text else []
        return {
            "id": f"msg_{self.stats.requests}",
            "type": "message",
            "role": "assistant",
            "model": params["model"],
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    async def messages(self, params: dict[str, Any], write: "Writer") -> None:
        user = params["messages"][0]["content"]
        self.stats.requests += 1
        fault = self._fault(user)
        over = self.behaviour.at_once is not None and self.at_once >= self.behaviour.at_once
        if over:
            fault = {"do": "status", "status": 429}
        if fault["do"] == "status":
            await write.error(fault["status"], user, fault.get("retry_after"))
            return
        self.at_once += 1
        started = time.monotonic()
        self.stats.most_at_once = max(self.at_once, self.stats.most_at_once)
        try:
            reply = self._message(params, fault)
            await asyncio.sleep(fault.get("seconds", self.behaviour.latency))
        finally:
            self.at_once -= 1
            self.stats.busy += time.monotonic() - started
        body = json.dumps(reply).encode()
        if fault["do"] == "malformed":
            body = body[:-20]
        if fault["do"] == "odd":
            body = b'["no", "message"]'
        await write.body(200, body, cut=fault["do"] == "cut")

    async def create_batch(self, body: dict[str, Any], write: "Writer") -> None:
        requests = body["requests"]
        ids = [request["custom_id"] for request in requests]
        if len(set(ids)) < len(ids) or not all(0 < len(i) <= 64 for i in ids):
            await write.error(400, "custom_id")
            return
        fault = self._fault("")
        if fault["do"] == "status":
            await write.error(fault["status"], "", fault.get("retry_after"))
            return
        number = f"msgbatch_{len(self.stats.batches)}"
        now = datetime.now(UTC)
        self.batches[number] = {
            "requests": requests,
            "results": None,
            "created": now,
            "ends": now + timedelta(seconds=self.behaviour.batch_seconds),
        }
        self.stats.batches.append(len(requests))
        await asyncio.sleep(self.behaviour.latency)
        await write.json(self._batch(number), cut=self.behaviour.hide_batch_ids)

    def _batch(self, number: str) -> dict[str, Any]:
        batch = self.batches[number]
        ended = datetime.now(UTC) >= batch["ends"]
        counts = dict.fromkeys(("canceled", "errored", "expired", "processing", "succeeded"), 0)
        counts["succeeded" if ended else "processing"] = len(batch["requests"])
        return {
            "id": number,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": counts,
            "created_at": batch["created"].isoformat(),
            "expires_at": (batch["created"] + timedelta(days=1)).isoformat(),
            "ended_at": batch["ends"].isoformat() if ended else None,
            "results_url": f"{self.url}/v1/messages/batches/{number}/results" if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
        }

    def _results(self, number: str) -> bytes:
        """In another order than the requests'; the same at each call."""
        batch = self.batches[number]
        if batch["results"] is None:
            lines = []
            for request in reversed(batch["requests"]):
                params = request["params"]
                fault = self._fault(params["messages"][0]["content"], batch=True)
                if fault["do"] in ("expired", "canceled"):
                    result: dict[str, Any] = {"type": fault["do"]}
                elif fault["do"] == "errored":
                    inner = {"type": fault.get("error", "api_error"), "message": params["messages"][0]["content"]}
                    result = {"type": "errored", "error": {"type": "error", "error": inner}}
                else:
                    result = {"type": "succeeded", "message": self._message(params, fault)}
                lines.append(json.dumps({"custom_id": request["custom_id"], "result": result}))
            batch["results"] = "\n".join(lines).encode() + b"\n"
        results: bytes = batch["results"]
        return results

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes, write: "Writer") -> None:
        url, path = path, urllib.parse.urlsplit(path).path  # a whole URL where this server is a proxy
        if path == "/control":
            self.behaviour = Behaviour(**json.loads(body))
            if self.behaviour.forget_batches:
                self.batches.clear()
            await Writer(write.stream, Stats()).json({})
        elif path == "/count":
            await Writer(write.stream, Stats()).json([self.stats.requests, self.stats.billed.total()])
        elif path == "/stats":
            await Writer(write.stream, Stats()).json(vars(self.stats))
        elif self.behaviour.key and _key(headers) != self.behaviour.key:
            self.stats.requests += 1
            await write.error(401, _key(headers))
        else:
            key = _key(headers)
            if key not in self.stats.keys:
                self.stats.keys.append(key)
            if len(self.stats.sent) < 5:
                sent = {"path": url, "headers": headers, "body": json.loads(body) if body else None}
                self.stats.sent.append(sent)
            await self._speak(method, path, body, write)

    async def _speak(self, method: str, path: str, body: bytes, write: "Writer") -> None:
        batches = "/v1/messages/batches"
        if (method, path) == ("POST", "/v1/messages"):
            await self.messages(json.loads(body), write)
        elif (method, path) == ("POST", batches):
            await self.create_batch(json.loads(body), write)
        elif path == batches:
            data = [self._batch(number) for number in reversed(self.batches)]
            if self.behaviour.unlisted:
                self.behaviour.unlisted -= 1
                data = data[1:]
            await write.json({"data": data, "has_more": False, "first_id": None, "last_id": None})
        elif path.endswith("/results"):
            await write.body(200, self._results(path.split("/")[-2]))
        elif path.startswith(f"{batches}/") and path.split("/")[-1] in self.batches:
            await write.json(self._batch(path.split("/")[-1]))
        else:
            await write.error(404, path)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        write = Writer(writer, self.stats)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self.answer(method, path, headers, body, write)
        writer.close()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0, limit=2**20, backlog=1000)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        print(port, flush=True)
        await server.serve_forever()


class Writer:
    def __init__(self, stream: asyncio.StreamWriter, stats: Stats) -> None:
        self.stream = stream
        self.stats = stats

    async def body(self, status: int, body: bytes, more: str = "", cut: bool = False) -> None:
        self.stats.statuses[str(status)] += 1
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        self.stream.write(head.encode() + (body[: len(body) // 2] if cut else body))
        await self.stream.drain()
        if cut:
            self.stream.close()

    async def json(self, value: object, cut: bool = False) -> None:
        await self.body(200, json.dumps(value).encode(), cut=cut)

    async def error(self, status: int, quoted: str, retry_after: float | None = None) -> None:
        """Errors quote what was sent, as the real ones may."""
        types = {401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error"}
        error = {"type": types.get(status, "invalid_request_error"), "message": f"wrong: {quoted}"}
        more = "" if retry_after is None else f"retry-after: {retry_after}\r\n"
        await self.body(status, json.dumps({"type": "error", "error": error}).encode(), more)


class Fake:
    """The server in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.generate.fake_anthropic"], cwd=_ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def control(self, **behaviour: Any) -> None:
        with urllib.request.urlopen(f"{self.url}/control", data=json.dumps(behaviour).encode()) as reply:
            assert reply.status == 200

    def count(self) -> tuple[int, int]:
        """Requests, and how many of them were billed."""
        with urllib.request.urlopen(f"{self.url}/count") as reply:
            requests, billed = json.load(reply)
        return requests, billed

    def stats(self) -> Stats:
        with urllib.request.urlopen(f"{self.url}/stats") as reply:
            stats = Stats(**json.load(reply))
        stats.billed = Counter(stats.billed)
        stats.statuses = Counter(stats.statuses)
        return stats

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def running() -> Iterator[Fake]:
    fake = Fake()
    try:
        yield fake
    finally:
        fake.end()


async def _until_parent_is_gone() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


async def _main() -> None:
    watch = asyncio.create_task(_until_parent_is_gone())
    await Server().serve()
    await watch


if __name__ == "__main__":
    asyncio.run(_main())
