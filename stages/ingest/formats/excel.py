"""Excel, old and new."""

import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, archives, number_formats, records, writing
from stages.ingest.sections import Part, Section, outlined

_MERGED = re.compile(rb"<mergeCell ref=\"([A-Z]+)(\d+):([A-Z]+)(\d+)\"")
# A formula that the program which wrote it never calculated.
_NO_VALUE = re.compile(rb"<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>")


class _Sheet(NamedTuple):
    title: str
    rows: list[list[str]]  # those with something in them: a sheet may be formatted down to its last row, the millionth
    without_value: int = 0  # formulas


def read(path: Path, source: str, fields: Fields) -> Content:
    """A section a sheet, as one table whose first row is its header; of a sheet of records a section a row."""
    with path.open("rb") as file:
        is_new = file.read(2) == b"PK"
    name = repair(path.stem)
    parts: list[Part] = []
    rows_as_sections: list[Section] = []
    counts: Counter[str] = Counter()
    sheets = list(_new(path) if is_new else _old(path))
    for sheet in sheets:
        counts["formulas_without_value"] += sheet.without_value
        prefix = f"{sheet.title}/" if len(sheets) > 1 else ""
        if content := records.table_records(sheet.rows, source, fields, prefix):
            rows_as_sections += content[0]
            counts.update(content[1])
        else:
            parts.append(Part(2, repair(sheet.title), _text(sheet.rows)))
    return outlined(source, name, name, "", parts) + rows_as_sections, dict(+counts)


def _text(rows: list[list[str]]) -> str:
    """A table below the lines that stand above its header in a single cell."""
    single = list(itertools.takewhile(lambda row: sum(map(bool, row)) == 1, rows))
    if len(single) == len(rows) or not single:
        return writing.table(rows)
    lines = [next(filter(None, row)) for row in single]
    return "\n\n".join([*lines, writing.table(rows[len(single) :])])


def _new(path: Path) -> Iterator[_Sheet]:
    import openpyxl

    with path.open("rb") as file, ZipFile(path) as archive:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            numbered = enumerate(list(map(_shown, row)) for row in sheet.iter_rows())
            rows = {number: row for number, row in numbered if any(row)}
            data = archive.read(sheet._worksheet_path.lstrip("/"))
            _fill_merged(rows, data)
            yield _Sheet(sheet.title, list(rows.values()), len(_NO_VALUE.findall(data)))


def _fill_merged(rows: Mapping[int, list[str]], sheet: bytes) -> None:
    """Repeat what stands in a cell that is merged downwards in each of its rows, which are counted from 0."""
    from openpyxl.utils import column_index_from_string

    for letters, first, last_letters, last in _MERGED.findall(sheet):
        column, above = column_index_from_string(letters.decode()) - 1, rows.get(int(first) - 1, [])
        if letters != last_letters or column >= len(above):
            continue
        for number in range(int(first), int(last)):
            if column < len(row := rows.get(number, [])):
                row[column] = row[column] or above[column]


def _shown(cell: Any) -> str:
    value = cell.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number_formats.shown(value, cell.number_format) or writing.cell(value)
    return writing.cell(value)


def _old(path: Path) -> Iterator[_Sheet]:
    import xlrd  # type: ignore[import-untyped]

    if path.suffix.lower() != ".xls":
        archives.refuse_old(path)

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        return None if cell.ctype == xlrd.XL_CELL_ERROR else cell.value

    book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    for sheet in book.sheets():
        rows = ([writing.cell(value(cell)) for cell in row] for row in sheet.get_rows())
        yield _Sheet(sheet.name, list(filter(any, rows)))
