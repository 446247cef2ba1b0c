"""Kill -9 of the stage, and of `dvc` alone, at random moments: nothing is lost, and nothing bought twice but what was
in flight. The long version: `pytest -m slow tests/generate/test_kills.py`.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.generate.fake_anthropic import Fake
from tests.generate.test_bought import keys
from tests.generate.workspace import covered, environment, passages, prepare, report, run, store

pytestmark = pytest.mark.pipeline

AT_ONCE = 4
# Runs the stage as DVC does: DVC itself may be killed, and leaves its child behind.
DVC = (
    "import os, subprocess, sys\n"
    "subprocess.run([sys.executable, '-m', 'stages.generate'], env={**os.environ, 'DVC_STAGE': 'generate'})"
)


def killed_once(folder: Path, server: Fake, dvc_alone: bool, moment: float) -> None:
    """Run the stage, or a parent that plays `dvc`, and kill it `moment` seconds after its first request."""
    before, _ = server.count()
    command = ["-c", DVC] if dvc_alone else ["-m", "stages.generate"]
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    below = [psutil.Process(process.pid)]
    while server.count()[0] == before and process.poll() is None:
        time.sleep(0.01)
    below += below[0].children(recursive=True)
    time.sleep(moment)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=20)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("count", "kills", "longest"),
    [(60, 4, 0.3), pytest.param(500, 30, 0.6, marks=pytest.mark.slow)],
)
def test_kills_lose_nothing_and_buy_twice_only_what_was_in_flight(
    count: int, kills: int, longest: float, server: Fake, tmp_path: Path
) -> None:
    moments = random.Random(count)
    server.control(latency=0.1)
    prepare(tmp_path, server.url, range(count), max_concurrency=AT_ONCE)
    for_nothing = 0
    for number in range(kills):
        killed_once(tmp_path, server, dvc_alone=number % 2 == 1, moment=moments.uniform(0, longest))
        _, billed = server.count()
        here = len(store(tmp_path).standing(keys(tmp_path)))
        assert billed - here - for_nothing <= AT_ONCE
        for_nothing = billed - here
    assert here > kills  # they went on from where they were
    run(tmp_path)
    assert covered(tmp_path) == {passage["id"]: 4 for passage in passages(range(count))}
    assert server.stats().billed.total() == count + for_nothing
    assert for_nothing <= report(tmp_path)["claude_requests_lost"] <= kills * AT_ONCE
