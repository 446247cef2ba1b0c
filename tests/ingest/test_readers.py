"""What holds for every format: its text is found again, and a broken file is told from it."""

import subprocess
import sys
from pathlib import Path

import pytest

from stages.ingest import readers
from stages.ingest.formats import Fields, UnreadableError, pandoc
from tests.ingest import made_files
from tests.ingest.made_files import HEADINGS, SENTENCES, TITLE
from tests.ingest.reading import Reading

GOOD = made_files.good()
RECORDS = (".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
FLAT = (".txt", ".text", ".csv", ".tsv", ".eml", ".msg")  # one section


def test_there_is_a_good_and_a_broken_file_of_every_format() -> None:
    assert set(GOOD) == set(made_files.broken()) == set(readers.SUFFIXES)


@pytest.mark.parametrize("suffix", GOOD)
def test_the_text_of_a_good_file_is_found_again(read: Reading, suffix: str) -> None:
    sections = read(f"good{suffix}", GOOD[suffix])
    there = [code for code in SENTENCES if suffix != ".xls" or code in ("en", "de")]
    assert all(section.source == f"b/good{suffix}" for section in sections)
    if suffix in FLAT or suffix == ".xls":
        (section,) = sections
        assert [code for code in SENTENCES if SENTENCES[code] in section.text] == there
    elif suffix == ".pdf":
        wanted = [(f"Page {n}", TITLE, f"{HEADINGS[code]}\n{SENTENCES[code]}") for n, code in enumerate(there, start=1)]
        assert [(section.section, section.title, section.text) for section in sections] == wanted
    elif suffix in RECORDS:
        assert [(section.slug, section.document, section.text) for section in sections] == [
            (code, HEADINGS[code], SENTENCES[code]) for code in there
        ]
    else:
        book = suffix in (".xlsx", ".xlsm")
        title = "good" if book or suffix in (".doc", ".ppt") else TITLE
        sentence = "| text |\n| --- |\n| {} |" if book else "{}"
        sections = [section for section in sections if section.text != TITLE]  # a title that is no heading
        assert [(section.section, section.title, section.text) for section in sections] == [
            (HEADINGS[code], f"{title} {HEADINGS[code]}", sentence.format(SENTENCES[code])) for code in there
        ]


@pytest.mark.parametrize(("suffix", "data"), made_files.broken().items())
def test_a_broken_file_is_unreadable_for_a_short_reason_without_its_text(
    read: Reading, suffix: str, data: bytes
) -> None:
    reason = read.reason(f"broken{suffix}", data)
    assert 0 < len(reason) < 80
    assert not any(sentence[:8] in reason for sentence in (*SENTENCES.values(), "before", "after"))


GARBAGE = bytes(range(255, 0, -1)) * 20


@pytest.mark.parametrize("suffix", GOOD)
def test_garbage_under_the_suffix_is_unreadable(read: Reading, suffix: str) -> None:
    assert 0 < len(read.reason(f"garbage{suffix}", GARBAGE)) < 80


TEXTS = ".md .markdown .mdx .txt .text .rst .html .htm .xhtml .csv .tsv .org .tex .adoc .asciidoc .ipynb .json .jsonl"


@pytest.mark.parametrize("suffix", GOOD)
def test_an_empty_file_has_no_text_or_is_none_of_its_kind(read: Reading, suffix: str) -> None:
    if suffix not in [*TEXTS.split(" "), ".ndjson"]:
        assert read.reason(f"empty{suffix}", b"") == "empty file"
    else:
        assert read(f"empty{suffix}", b"") == read(f"blank{suffix}", b" \n\n") == []


@pytest.mark.parametrize("suffix", [".docx", ".odt", ".doc", ".ppt", ".msg", ".adoc"])
def test_without_the_extra_its_command_is_named(read: Reading, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pypandoc", "xberg"):
        monkeypatch.setitem(sys.modules, name, None)
    pandoc._program.cache_clear()
    try:
        assert read.reason(f"a{suffix}", GOOD[suffix]).endswith(": pip install -e '.[documents]'")
    finally:
        pandoc._program.cache_clear()


NO_ROUTE = """
import sys
from pathlib import Path
from stages.ingest import readers
from stages.ingest.formats import Fields
for path in map(Path, sys.argv[1:]):
    assert readers.read(path, path.name, Fields("id", "title", "text"))[0], path
"""


def test_nothing_is_sent_or_fetched(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    made_files.write(tmp_path, GOOD, "good")
    page = '<h1>T</h1><img src="http://192.0.2.1/a.png"><p>Text.</p><link rel=stylesheet href="http://192.0.2.1/a.css">'
    (tmp_path / "linked.html").write_text(page)
    (tmp_path / "linked.org").write_text("* T\n\nText.\n\n#+INCLUDE: http://192.0.2.1/a.org\n")
    command = ["unshare", "-rn", sys.executable, "-c", NO_ROUTE, *map(str, sorted(tmp_path.iterdir()))]
    subprocess.run(command, check=True, timeout=300, cwd=Path(readers.__file__).parents[2])


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx", ".epub"])
def test_a_zip_archive_of_something_else_is_unreadable(read: Reading, suffix: str) -> None:
    assert read.reason(f"a{suffix}", made_files.zipped({"a.txt": "secret"})).startswith("broken, or no ")


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_an_office_file_under_a_password_is_encrypted(read: Reading, suffix: str) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    assert read.reason(f"a{suffix}", ole + "EncryptedPackage".encode("utf-16-le") + bytes(100)) == "encrypted"
    assert "old Office file" in read.reason(f"a{suffix}", ole)


def test_suffixes_are_known_in_any_case_and_others_are_not(read: Reading) -> None:
    assert read.text("A.TXT", "text") == "text"
    assert read.reason("a.exe", "text") == "no reader for `.exe`"


def test_a_file_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"^No such file or directory$"):
        readers.read(tmp_path / "gone.md", "gone.md", Fields("id", "title", "text"))


def test_names_in_pieces_are_mended_in_titles_but_not_in_sources(read: Reading) -> None:
    (section,) = read("u\u0308ber.md", "text")  # as macOS has them
    assert (section.source, section.title, section.slug) == ("b/u\u0308ber.md", "über", "über")


def test_the_version_names_the_libraries_and_covers_every_module_that_readers_import() -> None:
    assert "markdown-it-py=" in readers.VERSION
    assert "pypdfium2=" in readers.VERSION
    root = Path(readers.__file__).parents[2]
    code = "import sys, stages.ingest.readers\nfor m in sys.modules.values(): print(getattr(m, '__file__', ''))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    ours = (root / "stages", root / "fieldtune")
    loaded = {path for path in map(Path, printed.stdout.splitlines()) if any(map(path.is_relative_to, ours))}
    # These change nothing of what is read.
    others = {root / "fieldtune/corpus/files.py", root / "fieldtune/runtime/errors.py"}
    others |= {path for path in loaded if path.name == "__init__.py" and path.parent.name != "formats"}
    assert set(readers.SOURCES) == loaded - others
