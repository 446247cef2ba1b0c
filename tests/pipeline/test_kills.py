"""A run that is killed again and again ends with the bytes of one that nobody disturbed. `pytest -m slow`; by seed."""

import itertools
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.repository import ROOT, dvc, environment, make

pytestmark = pytest.mark.pipeline
STAGES = [*yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]][1:]  # compose takes no time
KILLS = 10
SEEDS = [int(seed) for seed in os.environ.get("FIELDTUNE_TEST_SEEDS", "1").split(",")]


def digests(folder: Path) -> dict[str, str]:
    """The digest of each output, by stage and path, as DVC has it."""
    stages: dict[str, Any] = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {f"{stage}: {out['path']}": out["md5"] for stage, entry in stages.items() for out in entry.get("outs", [])}


def repro(folder: Path, stage: str | None = None, after: float = 0.0) -> dict[str, float]:
    """Run `dvc repro`; with a stage, kill it and all that it started `after` seconds from where that stage begins.

    Returns the seconds that each stage took, as far as it ended.
    """
    begun: list[tuple[str, float]] = []
    with subprocess.Popen(
        ["dvc", "repro"],
        cwd=folder,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if (running := re.match(r"Running stage '(?:.*:)?(\w+)'", line)) is None:
                continue
            begun.append((running[1], time.monotonic()))
            if running[1] == stage:
                time.sleep(after)
                os.killpg(process.pid, signal.SIGKILL)
                break
        code = process.wait()
        begun.append(("", time.monotonic()))
    if stage is None:
        assert code == 0, "".join(printed)
    return {name: later - start for (name, start), (_, later) in itertools.pairwise(begun)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, float]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    make(folder)
    seconds = repro(folder)
    return digests(folder), seconds


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_next_run_ends_with_the_same_bytes(
    undisturbed: tuple[dict[str, str], dict[str, float]], tmp_path: Path, seed: int
) -> None:
    expected, seconds = undisturbed
    drawn = random.Random(seed)
    make(tmp_path)
    killed = sorted(drawn.sample(STAGES, 2), key=STAGES.index)
    for stage in killed:
        for _ in range(KILLS // len(killed)):
            repro(tmp_path, stage, drawn.uniform(0, seconds[stage]))
    repro(tmp_path)
    assert digests(tmp_path) == expected, f"killed in {killed}"
    assert "up to date" in dvc(tmp_path, "repro")
