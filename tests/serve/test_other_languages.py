"""Clients of other languages as they are: the JDK's, which offers HTTP/2 with every request, and Node's."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests.serve.running import Running, cosines

pytestmark = pytest.mark.integrations
CLIENTS = Path(__file__).parent / "clients"


@pytest.mark.parametrize(
    ("program", "file", "package", "count"),
    [("java", "Ask.java", "default-jdk-headless", 2), ("node", "ask.mjs", "nodejs", 3)],
)
def test_it_gets_its_vectors(
    service: Running, model: SentenceTransformer, program: str, file: str, package: str, count: int
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine: apt-get install {package}")
    asked = subprocess.run(
        [program, str(CLIENTS / file), service.url], capture_output=True, text=True, timeout=120, check=False
    )
    assert asked.returncode == 0, asked.stderr
    replies = [line.split(" ", 1) for line in asked.stdout.splitlines()]
    assert [status for status, _ in replies] == ["200"] * count, asked.stdout
    got = np.array([json.loads(body)["data"][0]["embedding"] for _, body in replies], dtype=np.float32)
    assert cosines(got, np.repeat(model.encode_query(["word1 word2"]), count, axis=0)).min() >= 0.9999
