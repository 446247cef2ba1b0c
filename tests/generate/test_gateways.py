"""Companies' gateways, proxies and local servers: queries, or one line that says what to set, and nothing booked."""

import asyncio
import logging
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fieldtune.buying.refusals import UnclearError
from fieldtune.runtime.errors import UserError
from stages.generate import api
from tests.generate import gateway as gateways
from tests.generate.gateway import Gateway
from tests.generate.workspace import KEY, SECRET, covered, environment, prepare, report, run


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with gateways.running() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(gateway: Gateway) -> None:
    gateway.seen.clear()


def ask(folder: Path, gateway: Gateway, rule: str, way: str = "claude", code: int = 0, **settings: Any) -> str:
    prepare(folder, f"{gateway.url}/{rule}", range(3), way, **settings)
    output = run(folder, code)
    if code:
        assert booked(folder) == 0
    else:
        assert covered(folder) == {f"doc.md#part-{number}": 4 for number in range(3)}
    return output


def booked(folder: Path) -> int:
    """Requests whose money is still reserved, as they may have been billed."""
    path = folder / ".fieldtune/replies.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as database:
        count: int = database.execute("SELECT count(*) FROM reservations").fetchone()[0]
    return count


NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}


@pytest.mark.parametrize(
    ("rule", "way", "settings", "environment"),
    [
        ("noschema", "local", {}, {}),
        ("noschema", "claude", {"output_config": "none"}, {}),
        ("no_output_config", "claude", {"output_config": "none"}, {}),
        ("fastapi", "claude", {"output_config": "none"}, {}),
        ("no_thinking", "claude", {"thinking": "default"}, {}),
        ("think", "local", {}, {}),
        ("thinkblock", "local", {"extra": NO_THINKING}, {}),
        ("custom_header", "claude", {}, {"ANTHROPIC_CUSTOM_HEADERS": "X-Other: 1\nX-Gateway-Key: gw-secret"}),
        ("api_header", "claude", {}, {"ANTHROPIC_CUSTOM_HEADERS": "x-api-key: any"}),
        ("auth_token", "claude", {"key_variable": "COMPANY_TOKEN"}, {"COMPANY_TOKEN": " tok\n"}),
        ("local_key", "local", {"key_variable": "MY_SERVER_KEY"}, {"MY_SERVER_KEY": "s3cret"}),
        (
            "local_key",
            "local",
            {"key_variable": "MY_SERVER_KEY"},
            {"MY_SERVER_KEY": "s3cret", "ANTHROPIC_CUSTOM_HEADERS": "Authorization: x"},
        ),
        ("chat", "local", {"protocol": "openai"}, {"OPENAI_ORG_ID": "org", "OPENAI_API_KEY": "no"}),
        ("chat/v1", "local", {"protocol": "openai"}, {"OPENAI_BASE_URL": "http://127.0.0.1:9"}),
        ("chat_without_format", "local", {"protocol": "openai", "output_config": "none"}, {}),
        ("redirect308", "claude", {}, {}),
        ("error200", "claude", {}, {}),
        ("ms429", "claude", {}, {}),
        ("gzip", "claude", {}, {}),
        ("plain/", "claude", {}, {}),
        ("plain/v1", "claude", {}, {}),
        ("plain", "local", {}, {"HTTP_PROXY": "http://127.0.0.1:9", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}),
        ("plain", "claude", {}, {"http_proxy": "127.0.0.1:9"}),
        ("plain", "local", {}, {"ALL_PROXY": "socks5://127.0.0.1:9"}),
    ],
)
def test_queries(
    rule: str,
    way: str,
    settings: Any,
    environment: dict[str, str],
    gateway: Gateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ask(tmp_path, gateway, rule, way, **settings)


@pytest.mark.parametrize(
    ("rule", "way", "settings", "line"),
    [
        (
            "no_output_config",
            "claude",
            {},
            "takes none of these requests (400 invalid_request_error: output_config.format): set `output_config: none`",
        ),
        (
            "no_thinking",
            "claude",
            {},
            "takes none of these requests (400 invalid_request_error: thinking): set `thinking: default`",
        ),
        (
            "no_extra",
            "claude",
            {"extra": {"temperature": 1}},
            "(400 invalid_request_error: temperature): change `temperature` in conf/generator/",
        ),
        ("fastapi", "claude", {}, "takes none of these requests (422: output_config): set `output_config: none`"),
        ("quoting", "claude", {}, "takes none of these requests (400 invalid_request_error: messages). 0 of 3"),
        ("context", "claude", {}, "(400 invalid_request_error: longer than the model's context): raise the server's"),
        ("usage_limit", "claude", {}, f"says: {gateways.LIMITS} (400 invalid_request_error)"),
        ("credit", "claude", {}, "the account has no credit left (400 invalid_request_error)"),
        ("blockpage", "claude", {}, "a proxy or gateway on the way refuses the request (403, not in the API's JSON)"),
        ("region", "claude", {}, "takes no requests from here (403 forbidden)"),
        (
            "api_header",
            "claude",
            {},
            "check the environment variable ANTHROPIC_API_KEY, and ANTHROPIC_CUSTOM_HEADERS if",
        ),
        ("local_key", "local", {}, "wants a key (401 authentication_error): set messages.key_variable"),
        (
            "local_key",
            "local",
            {"key_variable": "ANTHROPIC_API_KEY"},
            "check the environment variable ANTHROPIC_API_KEY\u002e",
        ),
        (
            "local_key",
            "local",
            {"key_variable": "NOT_SET"},
            "NOT_SET, which messages.key_variable in conf/generator/ names, is not set",
        ),
        ("redirect301", "claude", {}, "redirects requests to http://127.0.0.1:"),
        ("redirect_away", "claude", {}, "redirects requests to http://localhost:1 (307): set messages.base_url"),
        ("html200", "claude", {}, "answers with a web page, not as an API: check messages.base_url"),
        (
            "model",
            "local",
            {"model": "qwen3:8b"},
            "does not know the model qwen3:8b (404 not_found_error): pull it there, or",
        ),
        ("chat", "local", {}, "if it speaks OpenAI's API only, set messages.protocol to openai"),
        ("chat_shaped", "local", {}, "answers as OpenAI's API does: set messages.protocol to openai"),
        (
            "chat_without_format",
            "local",
            {"protocol": "openai"},
            "(400 invalid_request_error: response_format): set `output_config: none`",
        ),
        ("plain", "claude", {"protocol": "openai"}, "messages.protocol: openai is for `local`, not for `claude`"),
        ("plain", "claude", {"extra": {"messages": []}}, "messages.extra may not set messages"),
        ("plain", "claude_batch", {}, "has no Message Batches (404 not_found_error): choose `generator: claude`"),
        ("proxy_auth", "claude", {}, "wants credentials (407): put them into HTTPS_PROXY or HTTP_PROXY"),
        ("quota", "claude", {}, "asks to wait longer than 10 min (429 rate_limit_error): run again later"),
        ("thinkblock", "local", {}, "got no queries (the model only thought: 3)"),
        ("chat_thinking", "local", {"protocol": "openai"}, "got no queries (the model only thought: 3)"),
    ],
)
def test_one_line(rule: str, way: str, settings: Any, line: str, gateway: Gateway, tmp_path: Path) -> None:
    output = ask(tmp_path, gateway, rule, way, code=1, **settings)
    assert line in output


def test_thinking_says_what_to_set(gateway: Gateway, tmp_path: Path) -> None:
    output = ask(tmp_path, gateway, "thinkblock", "local", code=1)
    assert "extra: {chat_template_kwargs: {enable_thinking: false}}" in output


def test_what_the_official_client_reads_of_the_environment(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{gateway.url}/auth_token")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "tok")
    prepare(tmp_path, "https://api.invalid", range(3))
    output = run(tmp_path, key="")
    assert f"requests go to {gateway.url}/auth_token, as ANTHROPIC_BASE_URL says" in output
    assert len(covered(tmp_path)) == 3


def test_a_server_of_ones_own_gets_nothing_of_the_environment(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gateway-Key: gw-secret\nAuthorization: gw-secret")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "gw-secret")
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "gw-secret")
    ask(tmp_path / "one", gateway, "plain", "local")
    ask(tmp_path / "other", gateway, "chat", "local", protocol="openai")
    sent = str([request["headers"] for request in gateway.seen])
    assert len(gateway.seen) == 6
    assert "gw-secret" not in sent
    assert KEY not in sent


def test_further_fields_are_sent_and_are_part_of_the_key(gateway: Gateway, tmp_path: Path) -> None:
    extra = {"temperature": 0.7, "options": {"num_ctx": 8192}, "chat_template_kwargs": {"enable_thinking": False}}
    ask(tmp_path, gateway, "plain", "local", extra=extra)
    assert all(body.items() >= extra.items() for body in gateway.bodies())
    ask(tmp_path, gateway, "plain", "local", extra=extra)
    assert len(gateway.bodies()) == 3
    ask(tmp_path, gateway, "plain", "local", extra={**extra, "temperature": 0.8})
    assert len(gateway.bodies()) == 6
    ask(tmp_path / "chat", gateway, "chat", "local", protocol="openai", extra={"top_p": 0.9})
    assert gateway.bodies()[-1]["top_p"] == 0.9
    assert gateway.bodies()[-1]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("base_url", "environment", "line"),
    [
        (
            "127.0.0.1:8200/plain",
            {},
            "messages.base_url in conf/generator/ is 127.0.0.1:8200/plain: it must begin with http:// or https://",
        ),
        ("localhost/v1", {}, "it must begin with http://"),
        ("http://", {}, "is not the URL of a server"),
        ("http://a b/", {}, "is not the URL of a server"),
        ("http://127.0.0.1:port", {}, "is not a URL"),
        ("ftp://127.0.0.1", {}, "it must begin with http://"),
        (
            "http://api.invalid",
            {"ANTHROPIC_API_KEY": "sk-a\nb"},
            "ANTHROPIC_API_KEY has a line break in it, at place 5",
        ),
        ("http://api.invalid", {"ANTHROPIC_API_KEY": "sk-a b"}, "ANTHROPIC_API_KEY has a blank in it"),
        (
            "http://api.invalid",
            {"ANTHROPIC_API_KEY": "sk-ä"},
            "ANTHROPIC_API_KEY has a character of no key in it, at place 4",
        ),
        (
            "http://api.invalid",
            {"ANTHROPIC_BASE_URL": "api.invalid"},
            "ANTHROPIC_BASE_URL is api.invalid: it must begin",
        ),
        (
            "http://api.invalid",
            {"ANTHROPIC_CUSTOM_HEADERS": "X-A: 1\nnonsense"},
            "ANTHROPIC_CUSTOM_HEADERS, line 2: it is not a header",
        ),
        (
            "http://api.invalid",
            {"ANTHROPIC_CUSTOM_HEADERS": "X-A: ä"},
            "ANTHROPIC_CUSTOM_HEADERS, line 1: it is not a header",
        ),
        (
            "http://api.invalid",
            {"HTTP_PROXY": "socks5://127.0.0.1:9"},
            "names a proxy of socks5, which is not supported",
        ),
        ("http://api.invalid", {"ALL_PROXY": "http://:9"}, "HTTP_PROXY or ALL_PROXY is not the URL of a proxy"),
        (
            "http://api.invalid",
            {"http_proxy": "http://127.0.0.1:port"},
            "HTTP_PROXY or ALL_PROXY is not the URL of a proxy",
        ),
    ],
)
def test_a_fault_before_sending_is_said_at_once_and_nothing_is_booked(
    base_url: str, environment: dict[str, str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    prepare(tmp_path, base_url, range(3))
    output = run(tmp_path, code=1, key=environment.get("ANTHROPIC_API_KEY", KEY))
    assert line in output
    assert "attempts" not in output
    assert booked(tmp_path) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of aiohttp, for credentials of a proxy
def test_a_proxy_that_is_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:pass@127.0.0.1:9")
    prepare(tmp_path, "http://api.invalid", range(3), attempts=2)
    output = run(tmp_path, code=1)
    assert "no connection to the proxy 127.0.0.1:9 (Connection refused)" in output
    assert "user" not in output


@pytest.mark.parametrize("rule", ["quoting", "html200", "blockpage", "model", "quota"])
def test_a_password_in_the_url_is_not_said(rule: str, gateway: Gateway, tmp_path: Path) -> None:
    prepare(tmp_path, f"{gateway.url.replace('//', '//user:hush@')}/{rule}", range(3))
    assert "hush" not in run(tmp_path, code=1)


def test_a_long_wait_is_said(gateway: Gateway, tmp_path: Path) -> None:
    assert "wait429 asks to wait 6 s (429 rate_limit_error)" in ask(tmp_path, gateway, "wait429")


def test_one_passage_that_is_refused_does_not_end_the_others(gateway: Gateway, tmp_path: Path) -> None:
    ask(tmp_path, gateway, "plain")
    prepare(tmp_path, f"{gateway.url}/context", range(4))  # one more, which is too long
    output = run(tmp_path)
    assert "12 queries for 3 of 4 passages" in output
    reason = "the server takes no such request (400 invalid_request_error: longer than the model's context)"
    assert report(tmp_path)[f"claude_without_queries: {reason}"] == 1


def test_batches_are_read_page_by_page_and_results_from_where_the_batch_was_submitted(gateway: Gateway) -> None:
    async def read(since: float) -> tuple[list[str], list[str]]:
        async with api.connect(f"{gateway.url}/pages", KEY, 10) as connection:
            listed = [batch["id"] for batch in await connection.batches(since)]
            return listed, [result["custom_id"] async for result in connection.results("b1")]

    third_of_january = datetime(2026, 1, 3, tzinfo=UTC).timestamp()
    assert asyncio.run(read(0)) == (["b3", "b2", "b1"], ["c0\u2028", "c1\u2028", "c2\u2028"])
    asked = len(gateway.seen)
    assert asyncio.run(read(third_of_january))[0] == ["b3"]
    assert len(gateway.seen) == asked + 2  # one page, as the next is older


@pytest.mark.parametrize("rule", ["no_pages", "no_object", "plain"])
def test_a_list_of_batches_that_is_none_is_not_taken_for_an_empty_one(rule: str, gateway: Gateway) -> None:
    async def read() -> None:
        async with api.connect(f"{gateway.url}/{rule}", KEY, 10) as connection:
            await connection.batches()

    with pytest.raises((UnclearError, UserError)):  # or the batch that is looked for would be bought again
        asyncio.run(read())


@pytest.mark.parametrize("rule", ["plain", "quoting", "html200"])
@pytest.mark.parametrize("way", ["claude", "local"])
def test_nothing_is_logged_at_the_clients_own_debug_level(
    rule: str, way: str, gateway: Gateway, tmp_path: Path
) -> None:
    prepare(tmp_path, f"{gateway.url}/{rule}", range(3), way)
    levels = {"ANTHROPIC_LOG": "debug", "OPENAI_LOG": "debug", "PYTHONASYNCIODEBUG": "1"}
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "stages.generate"],
        cwd=tmp_path,
        env=environment(**levels),
        capture_output=True,
        text=True,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert "passages" in said
    for secret in (SECRET, KEY, "authorization", "Bearer"):
        assert secret not in said
    assert logging.getLogger("anthropic").getEffectiveLevel() >= logging.WARNING


def test_nothing_is_exported_by_the_clients_telemetry(gateway: Gateway, tmp_path: Path) -> None:
    """Though a tracer is there, and the environment asks for the content of requests."""
    prepare(tmp_path, f"{gateway.url}/plain", range(3))
    program = (
        "import runpy, sys\n"
        "from opentelemetry import trace\n"
        "class Provider(trace.TracerProvider):\n"
        "    def get_tracer(self, *arguments, **options):\n"
        "        print('A TRACER WAS ASKED FOR', arguments)\n"
        "        return trace.NoOpTracer()\n"
        "trace.set_tracer_provider(Provider())\n"
        "sys.argv = ['generate']\n"
        "runpy.run_module('stages.generate', run_name='__main__')\n"
    )
    collector = socket.create_server(("127.0.0.1", 0))
    asks = {
        "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.getsockname()[1]}",
        "OTEL_TRACES_EXPORTER": "otlp",
    }
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(**asks),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "12 queries for 3 of 3 passages" in ran.stdout
    assert "A TRACER WAS ASKED FOR" not in ran.stdout
    collector.settimeout(0.1)
    with pytest.raises(TimeoutError), collector:
        collector.accept()
    assert not any("traceparent" in (name.lower() for name in request["headers"]) for request in gateway.seen)
