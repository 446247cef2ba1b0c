"""Two CPU processes give what one gives. Real processes, started by accelerate and as torchrun or SLURM start them."""

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fieldtune.corpus import files
from fieldtune.models import processes, tuned_model
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.train.__main__ import work
from tests.train import workspace
from tests.vectors import read_rows

pytestmark = pytest.mark.pipeline

LAUNCHER = """\
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU # without a GPU: processes that talk by gloo; MULTI_CPU would want MPI
num_processes: 2
num_machines: 1
machine_rank: 0
main_process_port: 0
mixed_precision: 'no'
gpu_ids: all
rdzv_backend: static
main_training_function: main
use_cpu: false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Without dropout, of which each process would draw its own."""
    workspace.write(tmp_path)
    config = files.read_json(tmp_path / "own/model/config.json")
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    files.write_json(tmp_path / "own/model/config.json", {**config, **dropout})
    files.write_text(tmp_path / "two.yaml", LAUNCHER)
    return tmp_path


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 20, "negatives": 1, "symmetric": True, "seed": 1},
        # Batches that do not come out even, in microbatches that are not as many in each process.
        {
            "batch_size": 9,
            "negatives": 1,
            "gradient_cache": True,
            "matryoshka": [8],
            "microbatch_tokens": 64,
            "learning_rate": 2e-3,
            "epochs": 4,
        },
    ],
)
def test_training_in_two_processes_is_training_in_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    values = {"epochs": 2, "learning_rate": 1e-3, "evaluations": 2} | values
    workspace.configure(folder, workspace.train_config(**values, launcher="two.yaml"))
    process = workspace.start("train", folder)
    try:
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()  # one that waits for the other has not ended
    assert process.returncode == 0, output
    assert [line for line in output.splitlines() if "✓" in line or "✗" in line] == output.splitlines()[-1:]
    (lock,) = (folder / ".fieldtune/locks").iterdir()
    assert lock.read_text() == str(process.pid)
    two, history = (
        load_file(folder / paths.MODEL / "model.safetensors"),
        files.read_json(folder / paths.MODEL / tuned_model.HISTORY),
    )

    monkeypatch.chdir(folder)
    workspace.configure(folder, workspace.train_config(**values))
    summary = work()
    assert output.splitlines()[-1].startswith(f"✓ train  {summary}")
    one, expected = load_file(paths.MODEL / "model.safetensors"), files.read_json(paths.MODEL / tuned_model.HISTORY)
    assert history["chosen"] == expected["chosen"]
    assert [row["dev_ndcg@10"] for row in history["dev"]] == pytest.approx(
        [row["dev_ndcg@10"] for row in expected["dev"]], abs=1e-6
    )
    assert [row["loss"] for row in history["loss"]] == pytest.approx(
        [row["loss"] for row in expected["loss"]], abs=1e-5
    )
    base = load_file("own/model/model.safetensors")
    assert set(one) == set(two) == set(base)
    for name, value in one.items():
        if "key.bias" in name:  # its gradient is 0 but for rounding, of which Adam makes steps
            continue
        np.testing.assert_allclose(two[name], value, atol=1e-5, rtol=0, err_msg=name)
    assert max(np.abs(value - base[name]).max() for name, value in one.items()) > 1e-3


def test_embedding_in_two_processes_is_embedding_in_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`workspace.write` has made the vectors in one."""
    names = ["passages", "queries", "real"]
    before = {name: read_rows(folder, paths.VECTORS, name) for name in names}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(2):
        environment = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        with monkeypatch.context() as patched:
            patched.setenv("MASTER_ADDR", "127.0.0.1")
            for name, value in environment.items():
                patched.setenv(name, str(value))
            running.append(workspace.start("embed", folder))
    ended = [(process.communicate()[0], process.returncode) for process in running]
    assert [status for _, status in ended] == [0, 0], ended
    assert ended[0][0].startswith("✓ embed  40 of 40 passages and 159 of 160 queries encoded in fp32")
    assert ended[1][0] == ""
    (lock,) = (folder / ".fieldtune/locks").iterdir()
    assert lock.read_text() == str(running[0].pid)
    for name in names:
        np.testing.assert_array_equal(read_rows(folder, paths.VECTORS, name), before[name])


def test_a_launcher_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "WORLD_SIZE" not in os.environ
    with pytest.raises(UserError, match=r"launcher: no\.yaml not found: write it with `accelerate config"):
        processes.launch("train", "no.yaml")
    processes.launch("train", None)


def test_a_launcher_of_one_process_needs_none_and_one_that_joins_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.yaml").write_text(LAUNCHER.replace("num_processes: 2", "num_processes: 1"))
    processes.launch("train", str(tmp_path / "one.yaml"))
    (tmp_path / "two.yaml").write_text(LAUNCHER.replace("MULTI_GPU", "MULTI_CPU"))
    monkeypatch.setenv("FIELDTUNE_LAUNCHED", "1")  # as accelerate starts it: without WORLD_SIZE
    with pytest.raises(UserError, match=r"two\.yaml starts no processes that train together"):
        processes.launch("train", str(tmp_path / "two.yaml"))


def test_one_process_has_nothing_to_gather() -> None:
    import torch

    rows = torch.ones(2, 3)
    assert processes.gather(rows)[0] is rows
    assert (processes.gather(rows)[1], processes.count(), processes.rank()) == (0, 1, 0)
    assert processes.total(7, torch.device("cpu")) == 7
    table = np.ones((2, 2), dtype=np.float32)
    processes.add_up(table, torch.device("cpu"))
    assert table.tolist() == [[1, 1], [1, 1]]
