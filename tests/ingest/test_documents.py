"""The files of the documents folder that are read, and those that are counted."""

import os
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime.errors import UserError
from stages.ingest.documents import Documents, list_documents

SUFFIXES = (".md", ".markdown", ".txt", ".jsonl")


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    return Path("docs")


def put(folder: Path, *names: str) -> None:
    for name in names:
        files.write_text(folder / name, f"# {name}\n\nText of {name}.\n")


def documents(*include: str, exclude: tuple[str, ...] = ()) -> Documents:
    return list_documents(Path("docs"), include or ("**/*",), exclude, SUFFIXES)


def names(*include: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [path.relative_to("docs").as_posix() for path in documents(*include, exclude=exclude).readable]


def test_every_match_is_read_once_in_order_whatever_the_case_of_its_suffix(docs: Path) -> None:
    put(docs, "b.md", "a/z.TXT", "a/README.MD", "a-b.markdown", "c.png", "md", "a/.hidden.md", ".git/x.md", "a/.b/c.md")
    Path("docs/folder.md").mkdir()
    assert names() == ["a-b.markdown", "a/README.MD", "a/z.TXT", "b.md"]
    assert documents().skipped == {".png": 1, "hidden": 3, "no suffix": 1}
    assert names("**/*.md", "*.md", "a/**/*", "**/[Rr]EADME.*") == ["a/README.MD", "a/z.TXT", "b.md"]


def test_what_is_excluded_is_counted(docs: Path) -> None:
    put(docs, "a.md", "old/b.md", "old/c.MD")
    assert names(exclude=("OLD/**/*",)) == ["a.md"]
    assert documents(exclude=("old/**/*", "**/b.md")).skipped == {"excluded": 2}


def test_of_a_beir_folder_the_corpus_alone_is_read(docs: Path) -> None:
    put(docs, "corpus.jsonl", "queries.jsonl", "notes.md")
    found = documents()
    assert [path.name for path in found.readable] == ["corpus.jsonl", "notes.md"]
    assert found.skipped == {"of queries without judgements": 1}
    assert len(found.warnings) == 1
    put(docs, "qrels/test.tsv")
    assert names() == ["corpus.jsonl"]
    assert documents().warnings == ()


def test_source_code_is_read_where_it_is_named(docs: Path) -> None:
    put(docs, "a.md", "b.py", "c.PY", "d.go")
    listed = list_documents(Path("docs"), ["**/*"], [], SUFFIXES, if_named=frozenset({".py", ".go"}))
    assert [path.name for path in listed.readable] == ["a.md"]
    listed = list_documents(Path("docs"), ["**/*.md", "**/*.py"], [], SUFFIXES, if_named=frozenset({".py", ".go"}))
    assert [path.name for path in listed.readable] == ["a.md", "b.py", "c.PY"]


def test_office_locks_and_the_files_of_a_data_set_are_no_documents(docs: Path) -> None:
    put(docs, "a.md", "~$a.md", "saved/dataset_info.json", "saved/state.json", "saved/data.arrow", "state.json")
    listed = list_documents(Path("docs"), ["**/*"], [], (".md", ".json", ".arrow"))
    assert [path.name for path in listed.readable] == ["a.md", "data.arrow", "state.json"]
    assert listed.skipped == {"files of a data set's own": 2, "hidden": 1}


def test_a_name_that_is_not_utf_8_is_named(docs: Path) -> None:
    put(docs, "a.md")
    Path(os.fsdecode(b"docs/caf\xe9.md")).write_text("text")
    with pytest.raises(UserError, match=r"documents: the name of docs/caf\\udce9\.md is not UTF-8: rename the file"):
        names()


def test_a_linked_document_is_read_and_a_link_that_dvc_does_not_follow_is_named(docs: Path) -> None:
    put(Path("elsewhere"), "x.md")
    put(docs, "a.md")
    (docs / "x.md").symlink_to(Path("elsewhere/x.md").resolve())
    assert names() == ["a.md", "x.md"]
    (docs / "linked").symlink_to(Path("elsewhere").resolve())
    with pytest.raises(UserError, match="docs/linked links to a folder or to nothing"):
        names()
    (docs / "linked").unlink()
    (docs / ".#a.md").symlink_to("somebody@some.host")  # an editor's lock is hidden
    assert names() == ["a.md", "x.md"]
    (docs / "y.md").symlink_to("gone.md")
    with pytest.raises(UserError, match=r"docs/y\.md links to a folder or to nothing"):
        names()


@pytest.mark.parametrize("pattern", ["", "/abs/*.md", "a**/x"])
def test_a_pattern_that_cannot_match_is_named(pattern: str, docs: Path) -> None:
    put(docs, "a.md")
    with pytest.raises(UserError, match=r"ingest\.include: "):
        names(pattern)
    with pytest.raises(UserError, match=r"ingest\.exclude: "):
        names(exclude=(pattern,))


def test_a_folder_without_documents_says_what_was_looked_at(docs: Path) -> None:
    put(docs, "a.png", "b.png", ".hidden.md")
    with pytest.raises(UserError) as error:
        names()
    assert str(error.value) == (
        "documents: no file in docs matches **/* and is of a known format (.jsonl .markdown .md .txt); not read: "
        "2 .png, 1 hidden"
    )
    Path("docs").rename("other")
    with pytest.raises(UserError, match="documents: docs is not a folder; set `documents:`"):
        names()
