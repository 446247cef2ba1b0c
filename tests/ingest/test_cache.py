"""The cache loses what it cannot hold, and nothing else."""

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stages.ingest.cache import Cache

VALUES = {f"key {number}": random.Random(number).randbytes(50_000) for number in range(20)}  # which do not compress


@contextmanager
def opened(path: Path) -> Iterator[Cache]:
    cache = Cache(path)
    yield cache
    cache.close()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def held(cache: Cache) -> set[str]:
    values = {key: cache.get(key) for key in VALUES}
    assert all(value in (None, VALUES[key]) for key, value in values.items())
    assert all(cache.has(key) == (value is not None) for key, value in values.items())
    return {key for key, value in values.items() if value is not None}


def test_what_is_kept_is_there_at_the_next_opening(tmp_path: Path) -> None:
    for _ in range(2):
        with opened(tmp_path / "c") as cache:
            cache.put(*VALUES.items())
            assert held(cache) == set(VALUES)


def test_what_does_not_fit_the_disk_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / "c") as cache:
        with no_file_larger_than(400_000):
            for entry in VALUES.items():
                cache.put(entry)
            kept = held(cache)
        assert 1 < len(kept) < len(VALUES)
    assert len(capsys.readouterr().out.splitlines()) == 1
    with opened(tmp_path / "c") as cache:
        assert held(cache) == kept
        cache.put(*VALUES.items())
        assert held(cache) == set(VALUES)


@pytest.mark.parametrize("start", [0, 4096, 40_960])
def test_a_damaged_file_begins_anew(start: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / "c") as cache:
        cache.put(*VALUES.items())
    whole = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(whole[:start] + b"x" * 500_000 + whole[start + 500_000 :])
    for _ in range(2):
        with opened(tmp_path / "c") as cache:
            held(cache)
            cache.put(*VALUES.items())
    assert held(cache) == set()  # closed
    assert len(capsys.readouterr().out.splitlines()) == 1
    with opened(tmp_path / "c") as cache:
        assert held(cache) == set(VALUES)


def test_no_place_for_a_file_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / "nowhere/c") as cache:
        cache.put(*VALUES.items())
        assert held(cache) == set()
    assert len(capsys.readouterr().out.splitlines()) == 1
