"""Excel, old and new."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, markdown, ole
from stages.ingest.sections import Part, outlined

Sheets = Iterator[tuple[str, Iterator[list[str]]]]  # names and rows


def read(path: Path, source: str, _: Fields) -> Content:
    """A section a sheet, as one table whose first row is its header."""
    with path.open("rb") as file:
        sheets = _new(path) if file.read(2) == b"PK" else _old(path)
    # Only rows with something in them: a sheet may be formatted down to its last row, the millionth.
    tables = [(title, [row for row in rows if any(row)]) for title, rows in sheets]
    name = repair(path.stem)
    return outlined(
        source, name, name, "", [Part(2, repair(title), markdown.table(rows)) for title, rows in tables]
    ), {}


def _new(path: Path) -> Sheets:
    import openpyxl

    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            yield sheet.title, (list(map(markdown.cell, row)) for row in sheet.iter_rows(values_only=True))


def _old(path: Path) -> Sheets:
    import xlrd  # type: ignore[import-untyped]

    if path.suffix.lower() == ".xlsx":
        ole.refuse(path)

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        return None if cell.ctype == xlrd.XL_CELL_ERROR else cell.value

    book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    for sheet in book.sheets():
        yield sheet.name, ([markdown.cell(value(cell)) for cell in row] for row in sheet.get_rows())
