"""What all tests need of the process that they run in, and the order in which their files go to the workers."""

import os
import signal

import pytest

# pytest-xdist's workers ignore it, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# With tensors this small, threads only wait for each other. Read when torch loads, here and in what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As in stages/__init__.py, for tests that import onnxruntime first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A file goes to one worker whole: those that take longest come first, so that no worker ends long after the other.
DEAREST = (
    "tests/pipeline/test_end_to_end.py",
    "tests/train/test_main.py",
    "tests/evaluate/test_main.py",
    "tests/export/test_main.py",
    "tests/generate/test_with_dvc.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {file: number for number, file in enumerate(DEAREST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))  # stable
