"""Many files in several processes: their order, and what is not handed to others."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from fieldtune.runtime.errors import UserError
from stages.ingest import workers
from stages.ingest.steps import Rules
from stages.ingest.workers import Workers


def kill(_: Path) -> None:
    os._exit(9)


@pytest.fixture
def paths(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    paths = [rules.folder / f"{number}.md" for number in range(20)]
    for path in paths:
        path.write_text(f"# Guide {path.stem}\n\nText of {path.stem}.")
    return paths


def test_results_come_in_the_order_of_the_files_known_or_not(rules: Rules, paths: list[Path]) -> None:
    with closing(Workers(rules)) as few:
        list(few.read(paths[5:8]))
        assert few._pool is None  # few files are not worth the start of a process
    with closing(Workers(rules)) as many:
        reads = list(many.read(paths))
        assert many._pool is not None
        rows = [cut.rows for cut in many.cut(paths, reads, frozenset())]
    assert [row.count(f'"source": "{path.name}"'.encode()) for row, path in zip(rows, paths, strict=True)] == [1] * 20
    with closing(Workers(rules)) as later:
        assert list(later.read(paths)) == reads
        assert [cut.rows for cut in later.cut(paths, reads, frozenset())] == rows
        assert later._pool is None


def test_a_killed_process_is_an_error_that_names_a_remedy(
    rules: Rules, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_read", kill)
    with (
        closing(Workers(rules)) as killed,
        pytest.raises(UserError, match="a process that reads files was killed"),
    ):
        list(killed.read(paths))
