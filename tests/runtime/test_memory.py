"""The memory that is free, and the bound on what is held of a corpus."""

from pathlib import Path

import pytest

from fieldtune.runtime import memory
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.memory import free_memory, limit


def test_the_bound_is_three_quarters_of_what_is_free_or_what_the_environment_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 4_000)
    assert limit() == 3_000
    monkeypatch.setenv("FIELDTUNE_MEMORY_GB", "0.5")
    assert limit() == 500_000_000


@pytest.mark.parametrize("given", ["much", "0", "-1", "nan", "inf"])
def test_a_bound_that_is_no_number_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDTUNE_MEMORY_GB", given)
    with pytest.raises(UserError, match=f"FIELDTUNE_MEMORY_GB: {given} is not a number of gigabytes above 0"):
        limit()


@pytest.mark.parametrize(("most", "free"), [("1000", 1000 - 700 + 250), ("max", None)])
def test_in_a_container_copies_of_files_count_as_free(
    most: str, free: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("max", most), ("current", "700"), ("stat", "anon 300\nfile 400\ninactive_file 250")):
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    if free is None:
        assert free_memory() > 1000
    else:
        assert free_memory() == free


def test_some_memory_is_free_and_not_more_than_there_is() -> None:
    import psutil

    assert 0 < free_memory() <= psutil.virtual_memory().total
