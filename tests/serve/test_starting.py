"""What cannot be served is said in one line, before anything listens."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serve.running import ROOT


def serve(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "stages.cli", "serve", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )


def break_graph(export: Path) -> None:
    (export / "onnx/model_int8.onnx").write_bytes(b"cut off")


def other_vectors(export: Path) -> None:
    import numpy as np

    from stages.export.passage_vectors import write_passage_vectors

    write_passage_vectors(export / "vectors/passages.parquet", ["a"], ["a"], np.ones((1, 8), dtype=np.float32))


def no_limit(export: Path) -> None:
    config = export / "onnx/tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_max_length": 10**30}))


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (break_graph, [], "model_int8.onnx does not load"),
        (break_graph, ["--workers", "2"], "model_int8.onnx does not load"),
        (other_vectors, [], "has vectors of 8 numbers, the model gives 32: run `dvc repro export`"),
        (no_limit, [], "names no `model_max_length`"),
        (lambda export: shutil.rmtree(export / "model"), ["--model", "torch"], "it has: int8, fp32"),
        (lambda export: shutil.rmtree(export), [], "is no export"),
    ],
)
def test_a_broken_export(
    export: Path, tmp_path: Path, change: Callable[[Path], None], options: list[str], said: str
) -> None:
    shutil.copytree(export, tmp_path / "export")
    change(tmp_path / "export")
    done = serve(str(tmp_path / "export"), "--port", "0", *options)
    assert done.returncode == 1 or "--workers" in options
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_an_address_that_is_taken(export: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(str(export), "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stdout


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_that_is_none(number: str) -> None:
    done = serve("--workers", number)
    assert done.returncode == 2
    assert f"'{number}' is no number above 0" in done.stderr
