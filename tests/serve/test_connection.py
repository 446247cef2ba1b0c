"""Heads as clients send them: with an offer of HTTP/2, in pieces, slowly, or only half."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fieldtune.serve import connection
from fieldtune.serve.connection import UpgradeFilter
from tests.serve.running import Running, running

BODY = json.dumps({"input": ["word1"]}).encode()
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAA\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
POST = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\n"


def connect(service: Running) -> socket.socket:
    address = httpx.URL(service.url)
    return socket.create_connection((address.host, address.port or 0), timeout=30)


def answers(service: Running, *pieces: bytes, pause: float = 0.02) -> list[tuple[int, bytes]]:
    """Status and body of each answer to what is sent piece by piece over one connection."""
    with connect(service) as sent:
        sent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sent.sendall(piece)
            if len(pieces) > 1:
                time.sleep(pause)
        sent.settimeout(1)
        received = b""
        try:
            while part := sent.recv(65536):
                received += part
        except TimeoutError:
            pass
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(headers.get(b"content-length", b"0"))
        found.append((int(head.split()[1]), rest[:length]))
        received = rest[length:]
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        (POST + OFFER + LENGTH + BODY,),  # curl --http2
        (POST + OFFER + LENGTH, BODY),  # the JDK's client
        (POST + OFFER[:45], OFFER[45:] + LENGTH[:-2], LENGTH[-2:] + BODY[:3], BODY[3:]),
        tuple(bytes([byte]) for byte in POST + OFFER + LENGTH + BODY),
        (POST + OFFER.replace(b"Upgrade: h2c", b"UPGRADE:h2c") + b"Transfer-Encoding: chunked\r\n\r\n",
         b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        (POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + LENGTH + BODY,),
        (POST + b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n" + LENGTH + BODY,),
    ],
    ids=["whole", "split", "inside a line", "byte by byte", "chunked", "websocket", "TLS"],
)  # fmt: skip
def test_an_offer_of_another_protocol_is_passed_over(service: Running, pieces: tuple[bytes, ...]) -> None:
    ((status, body),) = answers(service, *pieces, pause=0.002 if len(pieces) > 9 else 0.02)
    assert (status, json.loads(body)["data"][0]["index"]) == (200, 0)


def test_an_offer_with_every_request_of_a_connection_and_several_at_once(service: Running) -> None:
    request = POST + OFFER + LENGTH + BODY
    assert [status for status, _ in answers(service, request, request, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")] == [
        200, 200, 200,
    ]  # fmt: skip
    get = b"GET /health HTTP/1.1\r\nHost: a\r\n" + OFFER + b"\r\n"
    assert [status for status, _ in answers(service, get * 2 + request)] == [200, 200, 200]
    assert not [line for line in service.log() if "upgrade" in line["event"].lower()]


KEPT = b"GET / HTTP/1.1\r\nX-Upgrade: stays\r\nX-A: upgrade: stays\r\nupgradeable: stays\r\nUp: g\r\n\r\n"
HEAD = KEPT.replace(b"X-A:", b"Upgrade: h2c\r\nX-A:")


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 20, 500])
def test_only_the_header_goes_however_the_head_is_cut(size: int) -> None:
    filtered, seen, behind = UpgradeFilter(), b"", b""
    for piece in pieces(HEAD + b"upgrade: of the body\r\n", size):
        if behind or seen.endswith(b"\r\n\r\n"):
            behind += piece
            continue
        head, rest = filtered.split(piece)
        seen, behind = seen + head, behind + rest
    assert seen == KEPT
    assert behind == b"upgrade: of the body\r\n"


def test_garbage_is_refused_at_once(service: Running) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50, b"GET /health HTTP/1.1\nHost: a\n\n"):
        started = time.monotonic()
        ((status, _),) = answers(service, garbage)
        assert (status, time.monotonic() - started < 0.9) == (400, True)


@pytest.mark.parametrize("header", [b"X-A: " + b"a" * 200_000, b"\r\n".join(b"X-%d: a" % row for row in range(50_000))])
def test_headers_have_a_largest_size(service: Running, header: bytes) -> None:
    with connect(service) as sent:
        sent.sendall(POST + header[:70_000])
        head, _, body = sent.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["error"]["message"] == "the request's headers are larger than 65,536 bytes"
    assert service.get("/health").status_code == 200


def test_a_thousand_headers_are_no_matter(service: Running) -> None:
    headers = b"".join(b"X-%d: a\r\n" % row for row in range(1000))
    assert [status for status, _ in answers(service, POST + headers + LENGTH + BODY)] == [200]


SLOW = (
    "import sys; from fieldtune.commands import cli; from fieldtune.serve import connection; "
    "connection._HEAD_SECONDS, connection._PATIENCE = float(sys.argv.pop(1)), 0.2; cli.main()"
)


def test_half_a_head_has_its_time(export: Path) -> None:
    with running(export, python=("-c", SLOW, "0.5", "serve")) as started, connect(started) as sent:
        with connect(started) as idle:
            sent.sendall(POST + b"X-")
            head, _, body = sent.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert "not complete after" in json.loads(body)["error"]["message"]
            assert sent.recv(1) == b""  # closed
            # Who has sent nothing yet is not in the middle of anything.
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert idle.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert [line["status"] for line in started.log() if line["event"] == "headers refused"] == [408]


def test_many_halves_of_heads_keep_nobody_out(export: Path) -> None:
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)); " + SLOW
    with running(export, python=("-c", few, "60", "serve")) as started:
        held = []
        try:
            for number in range(260):
                sent = connect(started)
                sent.sendall(POST + b"X-")
                held.append(sent)
                if number % 40 == 39:
                    time.sleep(0.3)
            assert httpx.get(f"{started.url}/health", timeout=10).status_code == 200
        finally:
            for sent in held:
                sent.close()
        assert any(line["event"] == "headers refused" for line in started.log())


def test_the_number_of_halves_goes_by_the_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for files, most in ((200, 50), (16, 8), (1_000_000, 1024), (resource.RLIM_INFINITY, 1024)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, files=files: (files, files))
        assert connection.most_half_sent() == most
