"""Workbooks."""

import io
from datetime import datetime

import openpyxl

from tests.ingest.made_files import xlsx
from tests.ingest.reading import Reading


def test_sheets_are_tables_without_what_is_blank(read: Reading) -> None:
    made = xlsx(
        {
            "Länder": [
                ["Region", None, "Since", "Share"],
                [None, None, None, None],
                ["NA", None, datetime(2024, 5, 1), 0.1 + 0.2],
                ["None", None, datetime(2024, 5, 1, 8, 30), 3],
                ["a|b\nc", None, None, True],
            ],
            "Empty": [],
        }
    )
    assert read.texts("Book.xlsx", made) == [
        (
            "Book Länder",
            "| Region | Since | Share |\n| --- | --- | --- |\n| NA | 2024-05-01 | 0.3 |\n"
            "| None | 2024-05-01 08:30:00 | 3 |\n| a\\|b c |  | True |",
        )
    ]


def test_a_sheet_that_is_formatted_to_its_end_is_read_as_far_as_it_is_filled(read: Reading) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "only"
    book.active["A20000"].number_format = "0.00"
    stream = io.BytesIO()
    book.save(stream)
    assert read.text("a.xlsx", stream.getvalue()) == "| only |\n| --- |"


def test_a_new_workbook_may_have_the_old_suffix(read: Reading) -> None:
    assert read.text("a.xls", xlsx({"S": [["x"], ["y"]]})) == "| x |\n| --- |\n| y |"
