"""Files that are there whole or not at all."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError

Replace = Callable[[Path], AbstractContextManager[Path]]


def write(place: Path, text: str) -> None:
    """Write to a file, or to a file inside a folder."""
    (place / "inside" if place.is_dir() else place).write_text(text)


def everything(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("replace", [files.replace_file, files.replace_dir])
def test_the_old_stays_and_nothing_else_when_the_block_raises(replace: Replace, tmp_path: Path) -> None:
    with replace(tmp_path / "new/it") as temporary:
        write(temporary, "old")
    before = everything(tmp_path)
    assert list(before.values()) == ["old"]
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), replace(tmp_path / "new/it") as temporary:
            write(temporary, "half")
            assert set(before.items()) < set(everything(tmp_path).items())  # the old is there until the end
            raise error
        assert everything(tmp_path) == before


@pytest.mark.parametrize("replace", ["replace_file", "replace_dir"])
def test_what_a_killed_run_left_does_not_get_into_the_next(replace: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from fieldtune.corpus import files\n"
        f"with files.{replace}(Path('it')) as temporary:\n"
        "    (temporary / 'stray' if temporary.is_dir() else temporary).write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(everything(tmp_path).values()) == ["half"]
    assert not (tmp_path / "it").exists()
    with getattr(files, replace)(tmp_path / "it") as temporary:
        write(temporary, "whole")
    assert list(everything(tmp_path).values()) == ["whole"]


@pytest.mark.parametrize(
    ("killed_in", "then"),
    [
        ("shutil.rmtree", {"it/new": "new"}),  # the old one is deleted, file by file
        ("Path.rename", {"it/a": "old", "it/b": "old"}),  # the old one is aside, the new one not yet in its place
    ],
)
def test_a_run_that_is_killed_while_it_replaces_a_folder_leaves_a_whole_one(
    killed_in: str, then: dict[str, str], tmp_path: Path
) -> None:
    with files.replace_dir(tmp_path / "it") as temporary:
        (temporary / "a").write_text("old")
        (temporary / "b").write_text("old")
    program = (
        "import os, shutil, signal; from pathlib import Path; from fieldtune.corpus import files\n"
        "rename = Path.rename\n"
        "def begin(path, target=None, ignore_errors=False):\n"
        "    if path.exists():\n"
        "        rename(path, target) if target else (path / 'a').unlink()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "with files.replace_dir(Path('it')) as temporary:\n"
        "    (temporary / 'new').write_text('new')\n"
        f"    {killed_in} = begin\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(RuntimeError), files.replace_dir(tmp_path / "it"):
        assert everything(tmp_path) == then
        raise RuntimeError
    assert everything(tmp_path) == then
    with files.replace_dir(tmp_path / "it") as temporary:
        (temporary / "newest").write_text("newest")
    assert everything(tmp_path) == {"it/newest": "newest"}


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with files.replace_dir(tmp_path / "folder") as temporary:
            (temporary / name).write_text(name)
    assert everything(tmp_path) == {"folder/b": "b"}


def test_a_linked_file_in_the_cache_is_not_written_through(tmp_path: Path) -> None:
    """DVC may link its outputs to its cache."""
    (tmp_path / "cache").write_text("cached")
    os.link(tmp_path / "cache", tmp_path / "hard")
    (tmp_path / "soft").symlink_to(tmp_path / "cache")
    for name in ("hard", "soft"):
        files.write_text(tmp_path / name, "new")
    assert everything(tmp_path) == {"cache": "cached", "hard": "new", "soft": "new"}


def test_jsonl_keeps_line_separators_inside_strings(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\u2029c\x85d\ne\r\nf"}, {"text": ""}, {"text": "ß 中"}]
    files.write_jsonl(tmp_path / "rows.jsonl", rows)
    assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == 3
    assert list(files.read_jsonl(tmp_path / "rows.jsonl")) == rows
    assert list(files.read_rows(tmp_path / "rows.jsonl")) == [(1, rows[0]), (2, rows[1]), (3, rows[2])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n\n{"a": \n', "line 3 is not valid JSON: Expecting value"),
        (b'{"a": 1}\r\n[1]\r\n', "line 2 must be a JSON object"),
        (b'{"a": ' + b"1" * 5000 + b"}", "line 1 has a number with too many digits"),
        (b'\n{"a": ' + b"[" * 100_000 + b"}", "line 2 is nested too deeply"),
        (b'{"a": "\xff"}\n', "is not UTF-8 text (invalid start byte)"),
        ('{"a": 1}\n'.encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_rows_that_people_wrote_wrongly_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(UserError) as error:
        list(files.read_rows(tmp_path / "rows.jsonl"))
    assert str(error.value).startswith(f"{tmp_path}/rows.jsonl")
    assert message in str(error.value)


def test_rows_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n  \r\n{"a": 2}')
    assert list(files.read_rows(tmp_path / "rows.jsonl")) == [(1, {"a": 1}), (3, {"a": 2})]


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    table: dict[str, list[object]] = {"id": ["a", "b"], "n": [1, 2], "list": [[1, 2], []]}
    files.write_table(tmp_path / "t", table)
    assert files.read_table(tmp_path / "t") == table


def test_a_digest_tells_contents_and_their_order_apart(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    assert len({files.digest(a), files.digest(b), files.digest(a, b), files.digest(b, a)}) == 4
    b.write_text("1")
    assert files.digest(a) == files.digest(b)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (1_234, "1.23 kB"), (45_600_000, "45.6 MB"), (2e9, "2 GB")],
)
def test_sizes_have_three_digits_and_a_unit(size: float, expected: str) -> None:
    assert files.human_size(size) == expected


def test_rows_of_json_lines_are_read_as_they_are_used(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    # A blank line, line ends that only JSON leaves in a string, half a pair of surrogates, and no line end at the end.
    path.write_text('{"n": 0}\n\n{"n": "1\u2028\x85ß"}\n  \n{"n": "\\ud800"}\n{"n": 3}', encoding="utf-8")
    rows = files.JsonLines(path)
    expected = list(files.read_jsonl(path))
    files.write_jsonl(path, [{"n": "later"}])
    assert len(rows) == len(expected) == 4
    assert list(rows) == list(rows) == expected
    assert [rows[place] for place in (3, 0, -1, -4)] == [expected[place] for place in (3, 0, -1, -4)]
    assert rows[1:] == expected[1:]
    assert rows[::-2] == expected[::-2]
    for place in (4, -5):
        with pytest.raises(IndexError):
            rows[place]
    (tmp_path / "empty.jsonl").touch()
    assert list(files.JsonLines(tmp_path / "empty.jsonl")) == []
