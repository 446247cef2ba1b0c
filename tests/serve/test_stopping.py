"""SIGTERM under load: what is in flight is answered, and nothing that was sent is lost."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from fieldtune.serve.settings import API_KEY
from tests.serve.running import Vectors, cosines, running, text, vectors

CLIENTS = 16
assert API_KEY == "FIELDTUNE_API_KEY"  # what `running` sets


def test_clients_that_never_pause_lose_no_request(export: Path, model: SentenceTransformer) -> None:
    """Each has one connection that it keeps. It may be refused a new one, but what it sent is answered."""
    texts = [text(number, 20) for number in range(CLIENTS)]
    expected = np.asarray(model.encode_document(texts))
    answers: list[list[Vectors]] = [[] for _ in range(CLIENTS)]
    ended: list[str] = [""] * CLIENTS

    def client(number: int) -> None:
        with httpx.Client(base_url=service.url, timeout=60) as api:
            try:
                while True:
                    answers[number].append(vectors(api.post("/v1/embeddings", json={"input": texts[number]}))[0])
            except httpx.HTTPError as error:
                ended[number] = type(error).__name__

    with running(export, "--model", "fp32") as service:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while min(map(len, answers)) < 3:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert service.process.wait(30) == 0
        assert ended == ["ConnectError"] * CLIENTS
        assert [line["status"] for line in service.log() if line["event"] == "request"].count(200) == sum(
            map(len, answers)
        )
        assert service.log()[-1]["event"] == "stopped"
    for number, answer in enumerate(answers):
        assert cosines(np.stack(answer), expected[number : number + 1]).min() >= 0.9999


@pytest.mark.parametrize("workers", [1, 2])
def test_long_requests_are_finished_and_new_ones_refused(export: Path, workers: int) -> None:
    body = {"input": [text(1, 61)] * 1500}
    replies: list[httpx.Response] = []
    options = ["--batch-tokens", "64", "--workers", str(workers)]
    with running(export, *options, ready=workers) as service:
        threads = [
            threading.Thread(
                target=lambda: replies.append(httpx.post(f"{service.url}/v1/embeddings", json=body, timeout=60))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        while service.metric("fieldtune_requests_in_flight") < 4:
            assert all(thread.is_alive() for thread in threads)
        service.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        with pytest.raises(httpx.ConnectError):
            while time.monotonic() < deadline:
                # TCP resets a connection that waited to be accepted when the socket closed.
                with contextlib.suppress(httpx.ReadError, httpx.WriteError):
                    httpx.get(f"{service.url}/health", timeout=30)
        for thread in threads:
            thread.join()
        assert service.process.wait(30) == 0
    assert [vectors(reply).shape for reply in replies] == [(1500, 32)] * 4


def test_ready_says_that_it_stops(export: Path) -> None:
    """A load balancer's connection that was open already."""
    body = {"input": [text(1, 61)] * 1500}
    with running(export, "--batch-tokens", "64") as service, httpx.Client(base_url=service.url, timeout=60) as watching:
        assert watching.get("/ready").status_code == 200
        busy = threading.Thread(target=lambda: httpx.post(f"{service.url}/v1/embeddings", json=body, timeout=60))
        busy.start()
        while service.metric("fieldtune_queue_tokens") == 0:
            assert busy.is_alive()
        service.process.send_signal(signal.SIGTERM)
        while (reply := watching.get("/ready")).status_code == 200:
            pass
        assert (reply.status_code, reply.json(), reply.headers["connection"]) == (503, {"status": "stopping"}, "close")
        busy.join()


def test_workers_answer_alike_and_count_together(export: Path, model: SentenceTransformer) -> None:
    texts = [text(number, 12) for number in range(40)]
    with running(export, "--model", "fp32", "--workers", "2", ready=2) as service:
        # A connection each, so that both workers get some.
        got = [
            vectors(httpx.post(f"{service.url}/v1/embeddings", json={"input": each}, timeout=60))[0] for each in texts
        ]
        assert service.metric("fieldtune_texts_total") == 40
        assert len({line["process"] for line in service.log() if line["event"] == "ready"}) == 2
    assert cosines(np.stack(got), np.asarray(model.encode_document(texts))).min() >= 0.9999


def test_another_worker_takes_the_place_of_one_that_died(export: Path) -> None:
    body = {"input": [text(1, 61)] * 1500}

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(f"{service.url}/v1/embeddings", json=body, timeout=60)

    with running(export, "--batch-tokens", "64", "--workers", "2", ready=2) as service:
        first = {line["process"] for line in service.log() if line["event"] == "ready"}
        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        while service.metric("fieldtune_requests_in_flight") < 4:
            pass
        dead = first.pop()
        os.kill(dead, signal.SIGKILL)
        for thread in asking:
            thread.join()
        deadline = time.monotonic() + 60
        while len([line for line in service.log() if line["event"] == "ready"]) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [line["process"] for line in service.log() if "died" in line["event"]] == [dead]
        with httpx.Client(base_url=service.url) as fresh:  # the old connection may have been the dead one's
            metrics = fresh.get("/metrics").text
        assert "fieldtune_requests_in_flight 0.0" in metrics
