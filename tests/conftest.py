"""What all tests need of the process that they run in, and which of them run, in which order of files."""

import os
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

# pytest-xdist's workers ignore it, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With tensors this small, threads only wait for each other. Read when torch loads, here and in what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As in fieldtune/runtime/environment.py, for tests that import onnxruntime first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A file goes to one worker whole: those that take longest come first, so that no worker ends long after the other.
DEAREST = (
    "tests/pipeline/test_end_to_end.py",
    "tests/train/test_main.py",
    "tests/evaluate/test_main.py",
    "tests/export/test_main.py",
    "tests/generate/test_with_dvc.py",
)
TIERS = ("pipeline", "integrations")
NOT_IN_UNITS = {"dvc", "chromium", "chromium-browser", "google-chrome", "initdb", "pg_ctl", "postgres"}
_unit: str | None = None  # the test that runs, if it has no tier's marker


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    rank = {file: number for number, file in enumerate(DEAREST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))  # stable
    if "slow" not in config.option.markexpr:  # of a file of the tier that is chosen
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    global _unit
    _unit = None if any(item.get_closest_marker(tier) for tier in TIERS) else item.nodeid
    try:
        return (yield)
    finally:
        _unit = None


def program(command: Sequence[Any]) -> str:
    """What a command starts: the name of a file, or of a module of Python's."""
    words = [os.fsdecode(word) for word in command]
    return words[2] if len(words) > 2 and words[1] == "-m" else Path(words[0]).name


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _unit and (name := program(arguments[1])) in NOT_IN_UNITS:
        pytest.fail(f"{_unit} starts {name}: mark its file as `pipeline` or `integrations`")


sys.addaudithook(_watch)
