"""Passages that are cut already: which field is what, and what is said of records that cannot be read."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.formats.records import arrow_records, json_records, jsonl_records, parquet_records
from stages.ingest.sections import Section
from tests.ingest.made_files import arrow, parquet

FIELDS = Fields("id", "title", "text")
Rows = Sequence[Mapping[str, object]]


def as_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


FORMATS: dict[str, tuple[Callable[[Path, str, Fields], Content], Callable[[Rows], bytes]]] = {
    "array": (json_records, lambda rows: json.dumps(rows).encode()),
    "object": (json_records, lambda rows: json.dumps({"version": 2, "tags": ["a"], "passages": rows}).encode()),
    "jsonl": (jsonl_records, as_lines),
    "parquet": (parquet_records, parquet),
    "arrow stream": (arrow_records, arrow),
    "arrow file": (arrow_records, lambda rows: arrow(rows, stream_format=False)),
}


@pytest.fixture(params=FORMATS)
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Rows, Fields], Content]:
    reader, written = FORMATS[request.param]

    def read(rows: Rows, fields: Fields) -> Content:
        file = tmp_path / "passages"
        file.write_bytes(written(rows))
        return reader(file, "a/passages", fields)

    return read


Read = Callable[[Rows, Fields], Content]


def test_each_record_is_a_section_of_the_document_that_its_title_names(read: Read) -> None:
    rows: Rows = [
        {"id": "FAQ 1/a#b", "title": " The\nguide ", "text": " Ein Satz. \n", "other": 1},
        {"id": "2", "title": "The guide", "text": "合同。\n\n契約。", "other": 2},
        {"id": "3", "title": "", "text": "يمكن إنهاء العقد", "other": 3},
        {"id": "4", "title": None, "text": "ﬁne\u00a0u\u0308ber\u2028it", "other": 4},
    ]
    assert read(rows, FIELDS) == (
        [
            Section("a/passages", "FAQ 1/a#b", "FAQ 1/a#b", "The guide", "Ein Satz.", "The guide"),
            Section("a/passages", "2", "2", "The guide", "合同。\n\n契約。", "The guide"),
            Section("a/passages", "3", "3", "", "يمكن إنهاء العقد", "a/passages#3"),
            Section("a/passages", "4", "4", "", "fine über\u2028it", "a/passages#4"),
        ],
        {},
    )


def test_the_fields_may_have_other_names(read: Read) -> None:
    rows: Rows = [{"key": 7, "head": 1984, "body": "text", "text": "not this"}]
    sections, _ = read(rows, Fields("key", "head", "body"))
    assert sections == [Section("a/passages", "7", "7", "1984", "text", "1984")]


def test_the_id_of_beir_is_known_and_a_record_without_one_goes_by_its_row(read: Read) -> None:
    assert [section.slug for section in read([{"_id": "d1", "text": "a"}], FIELDS)[0]] == ["d1"]
    assert [section.slug for section in read([{"_id": "d1", "id": "i1", "text": "a"}], FIELDS)[0]] == ["i1"]
    assert [section.slug for section in read([{"text": "a"}, {"text": "b"}], FIELDS)[0]] == ["1", "2"]
    rows: Rows = [{"id": "x", "text": "a"}, {"id": None, "text": "b"}, {"id": "", "text": "c"}]
    assert [section.slug for section in read(rows, FIELDS)[0]] == ["x", "2", "3"]


def test_records_without_text_are_left_out_and_counted(read: Read) -> None:
    rows: Rows = [
        {"id": "1", "text": " "},
        {"id": "2", "text": None},
        {"id": "3", "text": "there"},
        {"id": "3", "text": ""},
    ]
    sections, left_out = read(rows, FIELDS)
    assert [section.slug for section in sections] == ["3"]
    assert left_out == {"records_without_text": 3}


def test_an_id_that_comes_twice_is_named_by_its_rows(read: Read) -> None:
    rows = [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}, {"id": "1", "text": "c"}]
    with pytest.raises(UnreadableError, match=r"^row 3 has the id of row 1: each must be there once$"):
        read(rows, FIELDS)


def test_without_the_texts_field_the_setting_is_named(read: Read) -> None:
    with pytest.raises(UnreadableError, match=r"^no field `text` in it: set ingest\.fields"):
        read([{"id": "1", "body": "a"}], FIELDS)


def test_a_text_must_be_text(read: Read) -> None:
    with pytest.raises(UnreadableError, match=r"^row 1: its field `text` is not text$"):
        read([{"id": "1", "text": ["secret", "b"]}], FIELDS)


def test_more_rows_than_a_batch_are_all_there_in_order(read: Read) -> None:
    rows = [{"text": f"text {number}"} for number in range(2500)]
    assert [section.text for section in read(rows, FIELDS)[0]] == [row["text"] for row in rows]


def test_lines_may_end_as_windows_ends_them_and_begin_with_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": 1, "text": "a"}\r\n\r\n{"id": 2, "text": "b"}')
    assert [section.slug for section in jsonl_records(file, "a", FIELDS)[0]] == ["1", "2"]


def test_ids_are_mended_as_texts_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(r'{"id": "u\u0308ber\ud83d", "text": "u\u0308ber\ud83d"}')
    (section,), _ = jsonl_records(tmp_path / "a.jsonl", "a.jsonl", FIELDS)
    assert (section.section, section.slug, section.text) == ("über", "über", "über")


def test_one_object_may_be_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"title": "T", "text": "a", "tags": ["x"]}')
    assert json_records(file, "a.json", FIELDS)[0] == [Section("a.json", "1", "1", "T", "a", "T")]


@pytest.mark.parametrize("data", [b"", b" \n\n"])
@pytest.mark.parametrize("reader", [json_records, jsonl_records])
def test_a_blank_file_has_no_sections(
    reader: Callable[[Path, str, Fields], Content], data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(data)
    assert reader(tmp_path / "a", "a", FIELDS) == ([], {})


@pytest.mark.parametrize(
    ("reader", "data", "reason"),
    [
        (jsonl_records, b'{"text": "a"}\n\n{"text": secret}\n', "line 3 is not JSON: Expecting value"),
        (jsonl_records, b'{"text": "a"}\n["secret"]\n', "row 2 is not an object"),
        (jsonl_records, b'{"text": "a"}\n{"text": "secr\xe9t"}\n', "line 2 is not UTF-8 text"),
        (json_records, b'[{"text": "a"},\n{"text": "secret"]', "line 2 is not JSON: Expecting ',' delimiter"),
        (json_records, b'[\n{"text": "secr\xe9t"}]', "line 2 is not UTF-8 text"),
        (json_records, b'"secret"', "no list of objects in it"),
        (json_records, b'["secret"]', "row 1 is not an object"),
        (parquet_records, b"PAR1 and no more", "broken, or no Parquet file"),
        (arrow_records, b"ARROW1 and no more", "broken, or no Arrow file"),
        (arrow_records, b"secret", "broken, or no Arrow file"),
    ],
)
def test_what_cannot_be_read_is_said_by_its_line_and_without_its_text(
    reader: Callable[[Path, str, Fields], Content], data: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UnreadableError) as raised:
        reader(tmp_path / "a", "a", FIELDS)
    assert str(raised.value) == reason
