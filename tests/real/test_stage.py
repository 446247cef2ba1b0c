"""The stage: its files, in all formats, and a BEIR folder."""

import re
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest

from fieldtune.corpus import files, real_queries
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.real.__main__ import work
from tests.sources.made_passages import PASSAGES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files.write_jsonl(paths.PASSAGES, PASSAGES)
    Path("docs").mkdir()
    return tmp_path


def ask(queries: str, style: str = "style.yaml") -> str:
    Path("style.yaml").touch()
    files.write_text(Path("data/config/real.yaml"), f"documents: docs\nqueries: {queries}\nstyle: {style}\n")
    return work()


def test_a_table_is_the_same_as_jsonl_csv_and_xlsx(folder: Path) -> None:
    columns: list[str | None] = ["query", "source", "section", "group"]
    rows: list[list[str | None]] = [
        ["wie kopiere ich, „schnell“", "guide.md", "Copy Image", None],
        ["price", "more/faq.md", "Billing", "train"],
        ["log only", None, None, None],
        ["lost", "gone.md", None, None],
    ]
    files.write_jsonl(Path("a.jsonl"), [dict(zip(map(str, columns), row, strict=True)) for row in rows])
    lines = [",".join(f'"{value or ""}"' for value in row) for row in [columns, *rows]]
    Path("b.CSV").write_text("\n".join(lines), encoding="utf-8-sig")
    book = openpyxl.Workbook()
    for row in [columns, *rows, [None] * 4]:
        book.active.append(row)
    book.save("c.xlsx")
    with ZipFile("c.xlsx") as whole, ZipFile("g.xlsx", "w") as wrong:
        for name in whole.namelist():  # some programs write this size of whatever sheet
            wrong.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', whole.read(name)))
    # As a German Excel writes it, with a comma in the header; and with tabs, as .tsv or as .csv.
    german = ['"Nr., alt";' + line.replace('","', '";"') for line in lines]
    Path("d.csv").write_text("\r\n".join(german), encoding="utf-8-sig")
    for name in ("e.tsv", "f.csv"):
        Path(name).write_text("\n".join(line.replace('","', "\t").replace('"', "") for line in lines))
    for name in ("a.jsonl", "b.CSV", "c.xlsx", "d.csv", "e.tsv", "f.csv", "g.xlsx"):
        assert ask(name) == "2 real queries with answers (1 test, 1 train); 1 without an answer"
        assert [(q.query, q.split, q.sections) for q in real_queries.read()] == [
            ("wie kopiere ich, „schnell“", "test", ["guide.md#Copy Image"]),
            ("price", "train", ["more/faq.md#Billing"]),
        ]
        assert [row["query"] for row in files.read_jsonl(paths.REAL_LOG)] == ["log only"]
        report = files.read_json(paths.REAL_REPORT)
        assert report["unmatched_rows"] == 1
        assert report["unmatched"][0]["where"] == f"{name}, {'row' if name.endswith('xlsx') else 'line'} " + (
            "4" if name == "a.jsonl" else "5"
        )


def test_rows_without_a_place_are_named_with_what_is_near_but_no_text_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"query": "secret one", "source": "faq.md"},
        {"query": "secret two", "passage": "the hour of a secret text is billed"},
        {"query": "secret three", "source": "more/faq.md"},
        {"query": "secret four", "passage": "secret"},
    ]
    files.write_jsonl(Path("q.jsonl"), rows)
    ask("q.jsonl")
    printed = capsys.readouterr().out
    assert "q.jsonl, line 1: faq.md; near: more/faq.md" in printed
    assert "q.jsonl, line 2: passage; near: more/faq.md#billing" in printed
    assert "q.jsonl, line 4: passage: a text of fewer than 3 words" in printed
    assert "secret" not in printed


def test_no_row_that_finds_its_place_is_an_error_unless_none_names_one(folder: Path) -> None:
    rows = [{"query": f"secret {n}", "source": f"fak{n}.md", "section": "Billing"} for n in range(7)]
    rows += [{"query": "secret text", "passage": "an hour of a secret text is billed"}, {"query": "secret log"}]
    files.write_jsonl(Path("q.jsonl"), rows)
    with pytest.raises(UserError) as error:
        ask("q.jsonl")
    lines = str(error.value).splitlines()
    assert lines[0] == "q.jsonl: none of the 8 rows that name a place of an answer has one that is in docs:"
    assert lines[1:6] == [
        f"  q.jsonl, line {n + 1}: fak{n}.md # Billing; near: more/faq.md, guide.md" for n in range(5)
    ]
    assert lines[6].startswith(
        "a place is `source`, a file below docs, and optionally `section`, a heading in it, such as"
    )
    assert "`guide.md` and `Copy Image`" in lines[6]
    assert lines[7].endswith("`queries: data/none.jsonl`")
    assert "secret" not in str(error.value)
    assert not paths.REAL.exists()
    files.write_jsonl(Path("q.jsonl"), [{"query": "a"}, {"query": "b"}])
    assert ask("q.jsonl") == "0 real queries with answers (none); 2 without an answer"


def test_columns_that_may_be_misnamed_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = {}
    for header in ("query,file,heading", "query,date", "query", "query,source,date"):
        Path("q.csv").write_text(f"{header}\nprice,,\n")
        assert ask("q.csv") == "0 real queries with answers (none); 1 without an answer"
        printed[header] = capsys.readouterr().out
    place = "a place is source and section, passage, or passage_id\n"
    assert printed == {
        "query,file,heading": f"  ! q.csv: unknown columns file, heading; {place}",
        "query,date": f"  ! q.csv: unknown column date; {place}",
        "query": "",
        "query,source,date": "",
    }


def test_text_that_no_file_can_hold_is_mended(folder: Path) -> None:
    # Half of an emoji, as a log has it that was cut at so many characters; and a letter apart from its dots.
    Path("q.jsonl").write_text(r'{"query": "how to u\u0308ber \ud83d", "source": "more/faq.md"}' + "\n")
    ask("q.jsonl")
    assert [query.query for query in real_queries.read()] == ["how to über"]


def test_judgements_are_kept_and_counted(folder: Path) -> None:
    Path("q.csv").write_text(
        "query,source,section,relevance,answered\n"
        "a,guide.md,Copy Image,2,\na,more/faq.md,Billing,1,\nb,,,,false\nc,more/faq.md,Billing,1,\nd,,,,\n"
    )
    assert ask("q.csv") == (
        "1 real queries with answers (1 test); 3 without an answer, 1 of them not answered by these documents, "
        "1 of them answered partly"
    )
    assert [query.graded for query in real_queries.read()] == [{"guide.md#Copy Image": 1, "more/faq.md#Billing": 0.5}]
    assert list(files.read_jsonl(paths.REAL_LOG)) == [{"query": "b", "answered": False}, {"query": "c"}, {"query": "d"}]
    report = files.read_json(paths.REAL_REPORT)
    assert [report[name] for name in ("queries", "test", "log", "unanswered", "partly")] == [1, 1, 3, 1, 1]


def test_a_table_without_judgements_has_none_in_the_files(folder: Path) -> None:
    files.write_jsonl(Path("q.jsonl"), [{"query": "a", "source": "more/faq.md"}, {"query": "b"}])
    ask("q.jsonl")
    assert list(files.read_json(paths.REAL_REPORT)) == [
        "queries", "test", "dev", "train", "style", "log", "unmatched_rows", "unmatched",
    ]  # fmt: skip
    assert list(next(files.read_jsonl(paths.REAL))) == ["query", "group", "sections", "passages", "overlap"]
    assert paths.REAL_LOG.read_text() == '{"query": "b"}\n'


def test_the_documents_folder_may_stand_before_a_file(folder: Path) -> None:
    files.write_jsonl(Path("q.jsonl"), [{"query": "a", "source": str(folder / "docs/more/faq.md")}])
    ask("q.jsonl")
    assert [query.sections for query in real_queries.read()] == [["more/faq.md#Billing"]]


def test_none_is_said(folder: Path) -> None:
    Path("none.jsonl").touch()
    assert ask("none.jsonl").startswith("no real queries")
    assert (paths.REAL.read_text(), real_queries.read()) == ("\n", [])
    with pytest.raises(UserError, match=r"queries: gone\.csv not found"):
        ask("gone.csv")


def test_a_beir_folder_brings_its_queries_by_group(folder: Path) -> None:
    Path("none.jsonl").touch()
    files.write_jsonl(Path("docs/corpus.jsonl"), [{"_id": "r1", "text": "…"}])
    queries = [{"_id": f"q{number}", "text": f"query {number}"} for number in range(4)]
    files.write_jsonl(Path("docs/queries.jsonl"), queries)
    header = "query-id\tcorpus-id\tscore\n"
    (folder / "docs/qrels").mkdir()
    (folder / "docs/qrels/test.tsv").write_text(f"{header}q0\tr1\t2\nq3\tr1\t0\n")
    (folder / "docs/qrels/train.tsv").write_text("q1\t0\tr1\t1\n")  # as trec_eval has it
    (folder / "docs/qrels/dev.tsv").write_text(f"{header}q2\tguide.md#copy-image\t1\nq2\tgone\t1\n\n")
    ask("none.jsonl")
    assert {q.query: (q.split, q.sections) for q in real_queries.read()} == {
        "query 0": ("test", ["more/all.jsonl#r1"]),
        "query 1": ("train", ["more/all.jsonl#r1"]),
        "query 2": ("dev", ["guide.md#Copy Image"]),
    }
    assert files.read_json(paths.REAL_REPORT)["unmatched_rows"] == 1
    assert {q.query: q.grades for q in real_queries.read()} == {
        "query 0": {"more/all.jsonl#r1": 2}, "query 1": {}, "query 2": {},
    }  # fmt: skip
    for name in ("train", "dev"):
        (folder / f"docs/qrels/{name}.tsv").unlink()
    (folder / "docs/qrels/test.tsv").write_text("q0\tbill\t1\n")
    with pytest.raises(UserError, match=r"^none\.jsonl and the qrels of docs: none of the 1 .*\n.*\n.*\n.* the qrels$"):
        ask("none.jsonl")
    (folder / "docs/qrels/test.tsv").write_text("q9\tr1\t1\n")
    with pytest.raises(UserError, match=r"docs/qrels/test\.tsv, line 1: r1: no query has the id q9"):
        ask("none.jsonl")
    (folder / "docs/qrels/test.tsv").write_text("q9\tr1\t1\nq0\tr1\t1.0\n")
    ask("none.jsonl")
    assert [query.query for query in real_queries.read()] == ["query 0"]
    assert files.read_json(paths.REAL_REPORT)["unmatched"][0]["reason"] == "no query has the id q9"
    for data, message in (
        (b"Gr\xf6sse\tr1\t1\n", " is not UTF-8 text"),
        (b"q0\tr1\t1\n" + b"x" * 131_073, ", line 2 is not valid TSV"),
    ):
        (folder / "docs/qrels/test.tsv").write_bytes(data)
        with pytest.raises(UserError, match=rf"^docs/qrels/test\.tsv{message}"):
            ask("none.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", 'query,source\n"open', r"q\.csv, line 2 is not valid CSV"),
        ("q.csv", "query,source\nGr\xf6sse,x".encode("latin-1"), r"q\.csv is not UTF-8 text"),
        ("q.csv", f"{'x' * 131_073},query\n", r"q\.csv, line 1 is not valid CSV: field larger"),
        ("q.csv", f"query,passage\na,b\na,{'x' * 131_073}\n", r"q\.csv, line 3 is not valid CSV: field larger"),
        ("q.jsonl", "{", r"q\.jsonl, line 1 is not valid JSON"),
        ("q.xlsx", "no zip", r"q\.xlsx could not be read as XLSX"),
    ],
)
def test_a_broken_table_is_named(name: str, content: str | bytes, message: str, folder: Path) -> None:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        ask(name)
