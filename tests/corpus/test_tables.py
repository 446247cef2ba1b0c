"""Tables that people wrote: where each row stands, and what its cells say."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest

from fieldtune.corpus.tables import cell, read
from fieldtune.runtime.errors import UserError


def table(path: Path, text: str | bytes) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a file of this content, without the file's name before each place."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(where.removeprefix(f"{path}, "), row) for where, row in read(path)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "query,source\na,b\n"),
        ("a.CSV", "\ufeff query , source\r\na,b\r\n"),
        ("a.csv", "query;source\na;b"),
        ("a.csv", '"source, or file";query;source\n1,5;a;b'),
        ("a.csv", "query\tsource\na\tb"),
        ("a.tsv", "query\tsource\na\tb"),
    ],
)
def test_the_separator_is_the_one_that_finds_the_column_query(name: str, text: str, tmp_path: Path) -> None:
    ((where, row),) = table(tmp_path / name, text)
    assert (where, row["query"], row["source"]) == ("line 2", "a", "b")


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("a.csv", "file;heading\na;b", {"file;heading": "a;b"}),  # without `query` a comma
        ("a.tsv", "query,source\na,b", {"query,source": "a,b"}),  # tabs are all that a TSV has
        ("a.csv", "query,source\na", {"query": "a", "source": None}),
        ("a.csv", "query,source\na,b,, ,", {"query": "a", "source": "b"}),  # as Excel pads rows
        ("a.csv", "query\nhow do I reset it, please", {"query": "how do I reset it, please"}),
        ("a.csv", 'query\n"one, two", three', {"query": "one, two, three"}),
        ("a.csv", "query\nreset; please, now", {"query": "reset; please, now"}),
        ("a.csv", 'query,source\n"say ""hi"", now",b', {"query": 'say "hi", now', "source": "b"}),
    ],
)
def test_cells_by_column(name: str, text: str, row: dict[str | None, Any], tmp_path: Path) -> None:
    assert table(tmp_path / name, text) == [("line 2", row)]


def test_a_row_over_several_lines_stands_where_it_ends(tmp_path: Path) -> None:
    rows = table(tmp_path / "a.csv", 'query,source\n"one\nquery",b\n\nc,d\n')
    assert rows == [("line 3", {"query": "one\nquery", "source": "b"}), ("line 5", {"query": "c", "source": "d"})]


@pytest.mark.parametrize("text", ["", "query,source", "query,source\n\n"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_without_rows(suffix: str, text: str, tmp_path: Path) -> None:
    assert table(tmp_path / f"a{suffix}", text) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a"])
def test_any_other_file_is_jsonl(name: str, tmp_path: Path) -> None:
    rows = table(tmp_path / name, '{"query": "a"}\n\n{"query": 1, "more": []}\n')
    assert rows == [("line 1", {"query": "a"}), ("line 3", {"query": 1, "more": []})]


def sheet(path: Path, *rows: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.create_sheet("second").append(["query of another sheet"])
    book.save(path)
    return [(where.removeprefix(f"{path}, "), row) for where, row in read(path)]


def test_the_first_sheet_of_a_workbook(tmp_path: Path) -> None:
    rows = sheet(tmp_path / "a.XLSX", [" query", None, 2024], ["a", 1, None], [None] * 3, ["b", None, 0.5])
    assert rows == [
        ("row 2", {"query": "a", "": 1, "2024": None}),
        ("row 4", {"query": "b", "": None, "2024": 0.5}),  # rows are counted as the program shows them
    ]


def test_a_workbook_without_rows(tmp_path: Path) -> None:
    assert sheet(tmp_path / "a.xlsx") == []
    assert sheet(tmp_path / "b.xlsx", ["query", "source"]) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"query\nGr\xf6sse", " is not UTF-8 text"),
        ("a.csv", "query\na".encode("utf-16"), " is not UTF-8 text"),
        ("a.csv", b'query,source\na,b\n"open,b\n', ", line 3 is not valid CSV"),
        ("a.csv", b'query,source\n"a"b,c\n', ", line 2 is not valid CSV"),
        ("a.tsv", b'query\tsource\n"a"b\tc\n', ", line 2 is not valid CSV"),
        ("a.jsonl", b'{"query": "a"}\n["b"]\n', ", line 2 must be a JSON object"),
        ("a.xlsx", b"", " could not be read as XLSX"),
        ("a.xlsx", b"query,source\n", " could not be read as XLSX"),
    ],
)
def test_what_is_no_such_table_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        table(tmp_path / name, content)
    assert str(error.value).startswith(f"{tmp_path / name}{message}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a \n", "a"),
        (None, ""),
        ("", ""),
        (0, "0"),
        (1.5, "1.5"),
        (False, "False"),
        ("u\u0308ber", "\u00fcber"),  # composed, as documents are
        ("\u00a0\ufeffa\u00a0b\ud83d", "a b"),
    ],
)
def test_the_text_of_a_cell(value: object, text: str) -> None:
    assert cell({"query": value}, "query") == text
    assert cell({"query": value}, "source") == ""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "query,source,section\nhow, to rinse,guide.md,FAQ\n", ", line 2 has 4 cells, the header 3: put the"),
        ("a.csv", "query;source\na;b\n\nc;d;e", ", line 4 has 3 cells, the header 2"),
        ("a.tsv", "query\tsource\na\tb\tc", ", line 2 has 3 cells, the header 2"),
    ],
)
def test_a_row_of_more_cells_than_the_header_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        table(tmp_path / name, text)
    assert str(error.value).startswith(f"{tmp_path / name}{message}")


@pytest.mark.parametrize("blank", [",,", " , ,", ",\u00a0,"])
def test_rows_of_blank_cells_are_left_out(blank: str, tmp_path: Path) -> None:
    rows = table(tmp_path / "a.csv", f"query,source,section\n{blank}\na,b,c\n{blank}\n")
    assert [(where, row["query"]) for where, row in rows] == [("line 3", "a")]
    rows = table(tmp_path / "b.csv", f"query;source;section\n{blank.replace(',', ';')}\na;b;c\n")
    assert [row["query"] for _, row in rows] == ["a"]


@pytest.mark.parametrize("content", ["query\nreset, again\n\n  {lamp}\n", "reset, again\r\n{lamp}"])
def test_a_text_file_has_a_query_per_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "searches.txt").write_bytes(content.encode())
    assert [row for _, row in read(tmp_path / "searches.txt")] == [
        {"query": "reset, again"},
        {"query": "{lamp}"},
    ]


def test_a_text_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "searches.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"searches\.txt is not UTF-8 text"):
        list(read(tmp_path / "searches.txt"))
