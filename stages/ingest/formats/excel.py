"""Excel, old and new."""

import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, number_formats, ole, records, writing
from stages.ingest.sections import Part, Section, outlined

_MERGED = re.compile(rb"<mergeCell ref=\"([A-Z]+)(\d+):([A-Z]+)(\d+)\"")
# A formula that the program which wrote it never calculated.
_NO_VALUE = re.compile(rb"<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")


@dataclass(frozen=True)
class _Sheet:
    title: str
    rows: Iterator[list[str]]
    merged: list[tuple[int, int, int]] = field(default_factory=list)  # of one column: it, first and last row, from 0
    without_value: int = 0  # formulas


def read(path: Path, source: str, fields: Fields) -> Content:
    """A section a sheet, as one table whose first row is its header; of a sheet of records a section a row."""
    with path.open("rb") as file:
        is_new = file.read(2) == b"PK"
    name = repair(path.stem)
    parts: list[Part] = []
    rows_as_sections: list[Section] = []
    counts: dict[str, int] = {}
    sheets = list(_new(path) if is_new else _old(path))
    for sheet in sheets:
        # Only rows with something in them: a sheet may be formatted down to its last row, the millionth.
        rows = dict(row for row in enumerate(sheet.rows) if any(row[1]))
        for column, first, last in sheet.merged:
            for number in range(first + 1, last + 1):
                if number in rows and column < len(rows[number]) and first in rows and column < len(rows[first]):
                    rows[number][column] = rows[number][column] or rows[first][column]
        if sheet.without_value:
            counts["formulas_without_value"] = counts.get("formulas_without_value", 0) + sheet.without_value
        table = list(rows.values())
        prefix = f"{sheet.title}/" if len(sheets) > 1 else ""
        if content := records.table_records(table, source, fields, prefix):
            rows_as_sections += content[0]
            counts = {key: counts.get(key, 0) + content[1].get(key, 0) for key in {**counts, **content[1]}}
        else:
            parts.append(Part(2, repair(sheet.title), _text(table)))
    return outlined(source, name, name, "", parts) + rows_as_sections, counts


def _text(rows: list[list[str]]) -> str:
    """A table below the lines that stand above its header in a single cell."""
    single = list(itertools.takewhile(lambda row: sum(map(bool, row)) == 1, rows))
    if len(single) == len(rows) or not single:
        return writing.table(rows)
    lines = [next(filter(None, row)) for row in single]
    return "\n\n".join([*lines, writing.table(rows[len(single) :])])


def _new(path: Path) -> Iterator[_Sheet]:
    import openpyxl
    from openpyxl.utils import column_index_from_string

    with path.open("rb") as file, ZipFile(path) as archive:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = (list(map(_shown, row)) for row in sheet.iter_rows())
            data = archive.read(sheet._worksheet_path.lstrip("/"))
            merged = [
                (column_index_from_string(a.decode()) - 1, int(first) - 1, int(last) - 1)
                for a, first, b, last in _MERGED.findall(data)
                if a == b
            ]
            yield _Sheet(sheet.title, iter(list(rows)), merged, len(_NO_VALUE.findall(data)))


def _shown(cell: Any) -> str:
    value = cell.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_formats.shown(value, cell.number_format) or writing.cell(value)
    return writing.cell(value)


def _old(path: Path) -> Iterator[_Sheet]:
    import xlrd  # type: ignore[import-untyped]

    if path.suffix.lower() != ".xls":
        ole.refuse(path)

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        return None if cell.ctype == xlrd.XL_CELL_ERROR else cell.value

    book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    for sheet in book.sheets():
        yield _Sheet(sheet.name, ([writing.cell(value(cell)) for cell in row] for row in sheet.get_rows()))
