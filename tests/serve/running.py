"""The service as its users run it: a process of its own on a free port of this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from tests.tiny_model import WORDS

ROOT = Path(__file__).parents[2]
Vectors = npt.NDArray[np.float32]


@dataclass
class Running:
    """A service that is ready."""

    url: str
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    _log: Path

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]

    def post(self, path: str, body: object, **options: Any) -> httpx.Response:
        return self.client.post(path, json=body, **options)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def metric(self, line: str) -> float:
        """The value on a line of /metrics, by its name with labels; 0 if there is none."""
        lines = self.get("/metrics").text.splitlines()
        return next((float(each.split()[-1]) for each in lines if each.startswith(f"{line} ")), 0.0)


@contextmanager
def running(
    folder: Path,
    *options: str,
    key: str = "",
    ready: int = 1,
    python: Sequence[str] = ("-m", "fieldtune.commands.cli", "serve"),
) -> Iterator[Running]:
    """Start `fieldtune serve` on an export; killed at the end if it still runs. `ready` counts its processes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "FIELDTUNE_"))}
    with TemporaryDirectory() as temporary:
        log = Path(temporary) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *python, str(folder), "--port", "0", *options],
                cwd=ROOT,
                env={**environment, "FIELDTUNE_API_KEY": key},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + 60
            while log.read_text(encoding="utf-8").count('"event":"ready"') < ready:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.02)
            lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            url = next(line["url"] for line in lines if line["event"] == "listening")
            with httpx.Client(base_url=url, timeout=60) as client:
                yield Running(url, process, client, log)
        finally:
            process.kill()
            process.wait()


def text(number: int, words: int) -> str:
    """A text of so many words, another for each number."""
    drawn = np.random.default_rng(number).integers(0, len(WORDS), words)
    return " ".join(WORDS[each] for each in drawn)


def vectors(reply: httpx.Response) -> Vectors:
    assert reply.status_code == 200, reply.text
    return np.array([each["embedding"] for each in reply.json()["data"]], dtype=np.float32)


def cosines(left: Vectors, right: Vectors) -> Vectors:
    """Row by row; of unit vectors."""
    products: Vectors = (left * right).sum(axis=1)
    return products
