"""What cannot be served is said in one line, before anything listens."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from uvicorn.config import STARTUP_FAILURE

from fieldtune.commands import cli
from fieldtune.commands.serve import cores
from fieldtune.runtime.errors import UserError
from fieldtune.serve import app, backends, exported, logs, server
from fieldtune.serve.app import Service
from fieldtune.serve.settings import ServeSettings
from stages.export.passage_vectors import write_passage_vectors
from tests.serve.running import ROOT


def settings(folder: Path, model: str = "auto") -> ServeSettings:
    return ServeSettings(
        folder, name="fieldtune", model=model, vectors="float32", workers=1, threads=1, batch_tokens=None,
        queue_tokens=1, max_requests=1, max_inputs=1, max_tokens=1, max_bytes=1,
    )  # fmt: skip


def serve(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fieldtune.commands.cli", "serve", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def break_graph(export: Path) -> None:
    (export / "manifest.json").unlink()
    (export / "onnx/model_quantized.onnx").write_bytes(b"cut off")


def break_tokenizer(export: Path) -> None:
    (export / "manifest.json").unlink()
    (export / "onnx/tokenizer.json").write_bytes(b"cut off")


def break_config(export: Path) -> None:
    (export / "onnx/config_sentence_transformers.json").write_bytes(b"cut off")


def other_graph(export: Path) -> None:
    shutil.copyfile(export / "onnx/model.onnx", export / "onnx/model_quantized.onnx")


def break_vectors(export: Path) -> None:
    (export / "manifest.json").unlink()
    (export / "vectors/passages.parquet").write_bytes(b"cut off")


def other_vectors(export: Path) -> None:
    (export / "manifest.json").unlink()
    write_passage_vectors(export / "vectors/passages.parquet", ["a"], ["a"], np.ones((1, 8), dtype=np.float32))


def no_limit(export: Path) -> None:
    config = export / "onnx/tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "model_max_length": 10**30}))


def no_torch(export: Path) -> None:
    shutil.rmtree(export / "model")


def no_model(export: Path) -> None:
    no_torch(export)
    for graph in (export / "onnx").glob("*.onnx*"):
        graph.unlink()


@pytest.mark.parametrize(
    ("change", "model", "message"),
    [
        (break_graph, "auto", r"model_quantized\.onnx could not be loaded"),
        (break_tokenizer, "auto", r"onnx/tokenizer\.json could not be loaded"),
        (break_config, "auto", r"config_sentence_transformers\.json could not be read"),
        (other_graph, "auto", r"onnx/model_quantized\.onnx does not match .*manifest\.json: run `dvc repro export`"),
        (
            break_vectors,
            "auto",
            r"vectors/passages\.parquet could not be loaded \(ArrowInvalid\): run `dvc repro export`",
        ),
        (other_vectors, "auto", "has 8 dimensions, but the model has 32: run `dvc repro export`"),
        (no_limit, "auto", "has no `model_max_length`"),
        (
            lambda export: shutil.rmtree(export / "model"),
            "torch",
            "no model for `--model torch`; available: int8, fp32",
        ),
        (no_model, "auto", "contains no model"),
        (shutil.rmtree, "auto", "is not an export"),
    ],
)
def test_a_broken_export(
    export: Path, tmp_path: Path, change: Callable[[Path], None], model: str, message: str
) -> None:
    shutil.copytree(export, tmp_path / "export")
    change(tmp_path / "export")
    with pytest.raises(UserError, match=message):
        Service(settings(tmp_path / "export", model))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_ends_with_what_is_wrong(export: Path, tmp_path: Path, workers: int) -> None:
    shutil.copytree(export, tmp_path / "export")
    break_graph(tmp_path / "export")
    done = serve(str(tmp_path / "export"), "--port", "0", "--workers", str(workers))
    assert done.returncode == 1
    assert "model_quantized.onnx could not be loaded" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_worker_that_cannot_start_is_not_started_again(
    export: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the reason; also one that no check is for."""
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(app, "create_app", lambda _: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        server._in_worker(settings(export))
    assert ended.value.code == STARTUP_FAILURE
    assert caplog.records[-1].exc_info


def test_torch_serves_only_where_it_and_its_weights_are(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has neither, whatever GPU it sees."""
    monkeypatch.setattr(backends, "_has_gpu", lambda: True)
    assert backends.choose(exported.read(export), "auto") == "torch"
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    assert backends.choose(exported.read(export), "auto") == "int8"
    monkeypatch.undo()
    monkeypatch.setattr(backends, "_has_gpu", lambda: True)
    shutil.copytree(export, tmp_path / "export", ignore=shutil.ignore_patterns("*.safetensors"))
    assert backends.choose(exported.read(tmp_path / "export"), "auto") == "int8"


def test_a_port_that_is_none(export: Path) -> None:
    done = serve(str(export), "--port", "70000")
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1:70000: invalid port" in done.stdout


def test_an_address_that_is_taken(export: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(str(export), "--port", str(port))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stdout


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_that_is_none(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--workers", number])
    assert ended.value.code == 2
    assert f"'{number}' is not a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 64), ("250000 100000", 2), ("50000 100000", 1)])
def test_cores_are_those_that_the_container_may_use(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores(tmp_path / "cpu.max") == expected
    assert cores(tmp_path / "not there") == 64


def test_other_commands_do_not_wait_for_what_the_service_imports() -> None:
    program = "import fieldtune.commands.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"fastapi", "uvicorn", "onnxruntime", "tokenizers", "torch", "huggingface_hub", "prometheus_client"}
    assert heavy.isdisjoint(done.stdout.split())
