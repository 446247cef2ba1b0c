"""Our requests and the test's server, both against the official client."""

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import anthropic
import pytest

from fieldtune.buying import api as official_api
from fieldtune.buying.refusals import BrokenError, UnclearError
from fieldtune.runtime.errors import UserError
from stages.generate import api
from stages.generate.answers import Answer, answer
from stages.generate.prompt import Prompt
from tests.generate import workspace
from tests.generate.fake_anthropic import Fake, Server

pytestmark = pytest.mark.integrations


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Fake) -> Prompt:
    workspace.configure(tmp_path, server.url)
    monkeypatch.chdir(tmp_path)
    return Prompt(workspace.messages_config(), "anthropic")


def test_a_request_is_the_one_that_the_official_client_sends(server: Fake, prompt: Prompt, tmp_path: Path) -> None:
    workspace.prepare(tmp_path, server.url, range(1))
    workspace.run(tmp_path)
    with anthropic.Anthropic(api_key=workspace.KEY, base_url=server.url, max_retries=0) as client:
        message = client.messages.create(**prompt.request(workspace.passages(range(1))[0]))
    assert message.stop_reason == "end_turn"
    ours, theirs = server.stats().sent
    assert ours["body"] == theirs["body"]
    for header in ("authorization", "anthropic-version", "content-type"):
        assert ours["headers"][header] == theirs["headers"][header]
    assert ours["path"] == theirs["path"]


def test_batches_are_those_of_the_official_client(server: Fake, prompt: Prompt) -> None:
    requests = [
        {"custom_id": prompt.key(request), "params": request}
        for request in map(prompt.request, workspace.passages(range(3)))
    ]

    async def ours() -> tuple[list[str], list[str], list[dict[str, object]]]:
        async with api.connect(server.url, workspace.KEY, 10) as connection:
            made = await connection.create_batch(requests)
            assert (await connection.batch(made["id"]))["processing_status"] == "ended"
            results = [result async for result in connection.results(made["id"])]
            return [batch["id"] for batch in await connection.batches()], [made["id"]], results

    listed, _, results = asyncio.run(ours())
    with anthropic.Anthropic(api_key=workspace.KEY, base_url=server.url, max_retries=0) as client:
        theirs = client.messages.batches.create(requests=requests)  # type: ignore[arg-type]
        assert client.messages.batches.retrieve(theirs.id).processing_status == "ended"
        assert [batch.id for batch in client.messages.batches.list()] == [theirs.id, *listed]
        same = [result.model_dump(mode="json") for result in client.messages.batches.results(theirs.id)]
    assert [result["custom_id"] for result in results] == [result["custom_id"] for result in same]
    texts = [answer(result["result"]["message"]).text for result in results]  # type: ignore[index]
    assert texts == [result["result"]["message"]["content"][0]["text"] for result in same]


def test_a_batch_has_more_time_the_larger_it_is(server: Fake, prompt: Prompt) -> None:
    server.control(latency=0.6)
    params = prompt.request(workspace.passages(range(1))[0])  # a little over 2 kB

    async def create(count: int) -> None:
        async with api.connect(server.url, workspace.KEY, 0.3) as connection:
            await connection.create_batch([{"custom_id": str(n), "params": params} for n in range(count)])

    with pytest.raises(UnclearError, match=r"no reply within 0\.3 s"):
        asyncio.run(create(1))
    asyncio.run(create(100))  # 2 seconds more


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_is_not_trusted_says_how_to_trust_it(
    prompt: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, key = made_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, key)

    async def ask() -> None:
        served = await asyncio.start_server(Server().connection, "127.0.0.1", 0, ssl=context)
        url = f"https://localhost:{served.sockets[0].getsockname()[1]}"
        async with served, api.connect(url, workspace.KEY, 10) as connection:
            await connection.message(json.dumps(prompt.request(workspace.passages(range(1))[0])).encode())

    with pytest.raises(UserError, match=r"^the certificate of https://localhost:\d+ is not trusted .* SSL_CERT_FILE$"):
        asyncio.run(ask())
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    asyncio.run(ask())


def made_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that `localhost` signed itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = f"-newkey rsa:2048 -nodes -keyout {key} -out {certificate}"
    subject = "-subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2"
    subprocess.run(["openssl", "req", "-x509", *made.split(), *subject.split()], check=True, capture_output=True)
    return certificate, key


def test_the_proxy_of_the_environment_is_used_and_its_exceptions_too(
    server: Fake, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(host: str) -> Answer:
        async with api.connect(host, workspace.KEY, 10) as connection:
            request = prompt.request(workspace.passages(range(1))[0])
            return await connection.message(json.dumps(request).encode())

    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1,elsewhere.invalid")
    assert asyncio.run(ask("http://api.invalid")).stop_reason == "end_turn"
    assert asyncio.run(ask(server.url)).stop_reason == "end_turn"
    assert [sent["path"] for sent in server.stats().sent] == ["http://api.invalid/v1/messages", "/v1/messages"]
    with pytest.raises(BrokenError, match=r"no connection to http://elsewhere\.invalid \(no such host\)"):
        asyncio.run(ask("http://elsewhere.invalid"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("100000", 600.0), ("soon", None)],
)
def test_retry_after_is_read_as_seconds(header: str | None, seconds: float | None) -> None:
    assert official_api.retry_after(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert official_api.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert official_api.retry_after("Wed, 21 Oct 2099 07:28:00 GMT") == 600.0
