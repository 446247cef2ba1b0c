"""Reading and cutting one file: what goes wrong with it, and what the cache makes unnecessary."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stages.ingest import boilerplate, readers
from stages.ingest.steps import Rules, Steps


@pytest.fixture
def steps(rules: Rules) -> Iterator[Steps]:
    with closing(Steps(rules)) as steps:
        yield steps


def write(rules: Rules, name: str, text: str) -> Path:
    path = rules.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_known_once_it_was_read_and_until_it_changes(rules: Rules, steps: Steps) -> None:
    path = write(rules, "a.md", "# Guide\n\nText.")
    assert steps.known_read(path) is None
    read = steps.read(path)
    assert (read.problem, read.sections, read.empty) == ("", 1, False)
    assert steps.known_read(path) == read
    with closing(Steps(rules)) as later:
        assert later.known_read(path) == read
    path.write_text("# Guide\n\nAnother text.")
    assert steps.known_read(path) is None


def test_a_problem_is_known_too_unless_the_file_could_not_be_opened(rules: Rules, steps: Steps) -> None:
    broken = write(rules, "b.json", "{")
    read = steps.read(broken)
    assert (read.problem, read.empty) == (
        "line 1 is not JSON: Expecting property name enclosed in double quotes",
        False,
    )
    assert steps.known_read(broken) == read
    gone = steps.read(rules.folder / "gone.md")
    assert (gone.problem, gone.key) == ("No such file or directory", "")
    assert steps.known_read(rules.folder / "gone.md") is None


def test_a_file_without_text_is_empty(rules: Rules, steps: Steps) -> None:
    assert steps.read(write(rules, "a.md", "\n")).empty


def test_a_cut_counts_its_rows_and_is_known(rules: Rules, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(rules, "a.md", "# Guide\n\n" + "Some words here. " * 20 + "\n\n# More\n\nText.\n\n# Last\n\nEnd.")
    read = steps.read(path)
    assert not steps.is_cut(read, frozenset())
    cut = steps.cut(path, read, frozenset())
    rows = [json.loads(line) for line in cut.rows.splitlines()]
    assert (cut.passages, cut.sections, cut.sections_cut) == (len(rows), 3, 1)
    assert sum(cut.languages.values()) == len(rows) > 3
    assert {row["source"] for row in rows} == {"a.md"}

    def fail(*_: Any) -> None:
        raise AssertionError("it was cut again")

    monkeypatch.setattr(boilerplate, "strip_boilerplate", fail)
    assert steps.is_cut(read, frozenset())
    assert steps.cut(path, read, frozenset()) == cut
    assert not steps.is_cut(read, frozenset(read.blocks))  # another file may have made them boilerplate


def test_sections_that_the_cache_does_not_hold_are_read_again(
    rules: Rules, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(rules, "a.md", "# Guide\n\nText.")
    read = steps.read(path)
    again: list[Path] = []
    real_read = readers.read

    def reading(path: Path, *rest: Any) -> Any:
        again.append(path)
        return real_read(path, *rest)

    monkeypatch.setattr(readers, "read", reading)
    rules.cache.unlink()
    with closing(Steps(rules)) as later:
        assert later.cut(path, read, frozenset()).passages == 1
    assert again == [path]
