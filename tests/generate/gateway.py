"""A server that speaks the Messages API as companies' gateways, proxies and local servers do: with a rule of its own.

The rule is the first part of the path: `base_url` is `http://127.0.0.1:PORT/<rule>`. `seen` has what was asked.
"""

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.generate.workspace import SECRET

KINDS = ("task", "question", "keyword", "problem")
Body = dict[str, Any]


@dataclass
class Gateway:
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    stop: Callable[[], object] = lambda: None

    def bodies(self) -> list[Body]:
        return [request["body"] for request in self.seen if request["body"]]


def written(body: Body) -> str:
    """What a model that does as it is told writes for a request: JSON only if the prompt or a schema asks for it."""
    prompt = json.dumps(body["messages"]) + str(body.get("system"))
    user = body["messages"][-1]["content"].partition("\n")[0]
    queries = [f"{kind} about {user}" for kind in KINDS]
    if "JSON" not in prompt and not {"output_config", "response_format"} & set(body):
        return "- " + "\n- ".join(queries)
    return json.dumps({"queries": [{"kind": kind, "query": query} for kind, query in zip(KINDS, queries, strict=True)]})


def message(text: str, **more: Any) -> web.Response:
    usage = {"input_tokens": 50, "output_tokens": 60}
    content = [{"type": "text", "text": text}]
    made = {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": usage}
    return web.json_response({**made, **more})


def error(status: int, kind: str, text: str, **headers: str) -> web.Response:
    body = {"type": "error", "error": {"type": kind, "message": text}}
    return web.json_response(body, status=status, headers=headers)


def redirect(status: int, location: str) -> web.Response:
    return web.Response(status=status, headers={"location": location})


def page(status: int) -> web.Response:
    return web.Response(status=status, text="<!DOCTYPE html><html>Log in</html>", content_type="text/html")


def unknown(name: str) -> Callable[[web.Request, Body], web.Response | None]:
    """A rule that a field of the request is not known."""
    text = f"{name}: Extra inputs are not permitted"
    return lambda request, body: error(400, "invalid_request_error", text) if name.split(".")[0] in body else None


def without_schema(request: web.Request, body: Body) -> web.Response:
    return message(written({key: value for key, value in body.items() if key != "output_config"}))


def fastapi(request: web.Request, body: Body) -> web.Response | None:
    detail = [{"type": "extra_forbidden", "loc": ["body", "output_config"], "msg": f"not {SECRET}"}]
    return web.json_response({"detail": detail}, status=422) if "output_config" in body else None


def chat(request: web.Request, body: Body) -> web.Response:
    if not request.path.endswith("/v1/chat/completions"):
        return web.json_response({"detail": "Not Found"}, status=404)
    choice = {"index": 0, "message": {"role": "assistant", "content": written(body)}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 50, "completion_tokens": 60, "total_tokens": 110}
    return web.json_response({"object": "chat.completion", "choices": [choice], "usage": usage})


def chat_without_format(request: web.Request, body: Body) -> web.Response:
    if "response_format" in body:
        refused = {"message": f"no {SECRET}", "type": "invalid_request_error", "param": "response_format", "code": None}
        return web.json_response({"error": refused}, status=400)
    return chat(request, body)


def chat_thinking(request: web.Request, body: Body) -> web.Response:
    choice = {"message": {"content": None, "reasoning_content": "hm"}, "finish_reason": "length"}
    return web.json_response({"choices": [choice], "usage": None})


def thinking(request: web.Request, body: Body) -> web.Response | None:
    """As llama.cpp: `thinking` is ignored, `chat_template_kwargs` is not."""
    if body.get("chat_template_kwargs") == {"enable_thinking": False}:
        return None
    return message("", content=[{"type": "thinking", "thinking": "x"}], stop_reason="max_tokens")


def keyed(header: str, value: str | None, refused: web.Response) -> Callable[[web.Request, Body], web.Response | None]:
    def rule(request: web.Request, body: Body) -> web.Response | None:
        given = request.headers.get(header)
        return None if given and value in (None, given) else refused_again(refused)

    return rule


def refused_again(response: web.Response) -> web.Response:
    return web.Response(status=response.status, body=response.body, content_type=response.content_type)


def batch(number: int) -> dict[str, Any]:
    counts = dict.fromkeys(("canceled", "errored", "expired", "processing"), 0) | {"succeeded": number}
    made = {"id": f"b{number}", "type": "message_batch", "processing_status": "ended", "request_counts": counts}
    return made | {"created_at": f"2026-01-0{number}T00:00:00Z", "results_url": "http://elsewhere.invalid/results"}


def pages(request: web.Request, body: Body) -> web.Response:
    """Three batches, the newest first, two a page; their results."""
    if request.path.endswith("/results"):
        # A line separator that JSON may hold raw
        lines = [json.dumps({"custom_id": f"c{n}\u2028", "result": {}}, ensure_ascii=False) for n in range(3)]
        return web.Response(text="\n".join(lines))
    after = request.query.get("after_id")
    numbers = [1] if after == "b2" else [3, 2]
    ends = {"first_id": f"b{numbers[0]}", "last_id": f"b{numbers[-1]}", "has_more": not after}
    return web.json_response({"data": [batch(number) for number in numbers], **ends})


LIMITS = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
QUOTED = f"messages.0.content: {SECRET} is too long"
RULES: dict[str, Callable[[web.Request, Body], web.Response | None]] = {
    "plain": lambda request, body: None,
    "noschema": without_schema,
    "thinkblock": thinking,
    "think": lambda request, body: message(f'<think>{{}} four: {{"queries": []}}</think>{written(body)}'),
    "custom_header": keyed("X-Gateway-Key", "gw-secret", page(403)),
    "api_header": keyed("x-api-key", None, error(401, "authentication_error", "x-api-key header is required")),
    "auth_token": keyed("Authorization", "Bearer tok", error(401, "authentication_error", "no")),
    "local_key": keyed("Authorization", "Bearer s3cret", error(401, "authentication_error", "Invalid API Key")),
    "no_output_config": unknown("output_config.format"),
    "no_thinking": unknown("thinking"),
    "no_extra": unknown("temperature"),
    "fastapi": fastapi,
    "quoting": lambda request, body: error(400, "invalid_request_error", QUOTED),
    "context": lambda request, body: error(
        400, "invalid_request_error", "prompt is too long: 9000 tokens > 4096 maximum"
    ),
    "usage_limit": lambda request, body: error(400, "invalid_request_error", LIMITS),
    "credit": lambda request, body: error(400, "invalid_request_error", "Your credit balance is too low to access it."),
    "blockpage": lambda request, body: page(403),
    "region": lambda request, body: error(403, "forbidden", "Request not allowed"),
    "redirect301": lambda request, body: redirect(301, "/plain/v1/messages"),
    "redirect308": lambda request, body: redirect(308, "/plain/v1/messages"),
    "redirect_away": lambda request, body: redirect(307, "http://localhost:1/v1/messages"),
    "html200": lambda request, body: page(200),
    "model": lambda request, body: error(404, "not_found_error", f"model '{body['model']}' not found, try pulling it"),
    "chat": chat,
    "chat_without_format": chat_without_format,
    "chat_thinking": chat_thinking,
    "chat_shaped": lambda request, body: web.json_response({"object": "chat.completion", "choices": []}),
    "pages": pages,
    "no_pages": lambda request, body: web.json_response({"data": {"b1": 1}, "has_more": False}),
    "no_object": lambda request, body: web.json_response([1, 2]),
    "proxy_auth": lambda request, body: web.Response(status=407),
    "quota": lambda request, body: error(429, "rate_limit_error", "monthly quota reached", **{"retry-after": "86400"}),
    "gzip": lambda request, body: web.Response(
        body=gzip.compress(message(written(body)).body or b""),  # type: ignore[arg-type]
        headers={"content-encoding": "gzip", "content-type": "application/json"},
    ),
}


def once(name: str, response: Callable[[], web.Response]) -> None:
    """A rule that answers the first request alone."""
    done: list[bool] = []

    def rule(request: web.Request, body: Body) -> web.Response | None:
        if done:
            return None
        done.append(True)
        return response()

    RULES[name] = rule


@contextmanager
def running() -> Iterator[Gateway]:
    """The gateway, in a thread."""
    once(
        "error200", lambda: web.json_response({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})
    )
    once("ms429", lambda: error(429, "rate_limit_error", "slow", **{"retry-after-ms": "1500"}))
    once("wait429", lambda: error(429, "rate_limit_error", "slow", **{"retry-after": "6"}))
    gateway, loop, ready = Gateway(), asyncio.new_event_loop(), threading.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        rule = request.path.split("/")[1]
        body = json.loads(await request.read() or b"{}")
        gateway.seen.append({"path": request.path, "headers": dict(request.headers), "body": body})
        if answered := RULES[rule](request, body):
            return answered
        if not request.path.endswith("/v1/messages"):
            return error(404, "not_found_error", request.path)
        return message(written(body))

    async def serve() -> None:
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        stop = asyncio.Event()
        gateway.stop = lambda: loop.call_soon_threadsafe(stop.set)
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield gateway
    finally:
        gateway.stop()
        thread.join()
        loop.close()
