"""Tables that people wrote, row by row with each row's place: JSONL, CSV, TSV, the first sheet of an XLSX, or a text
file with a query per line.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from fieldtune.corpus import files
from fieldtune.corpus.unicode import repair
from fieldtune.runtime.errors import UserError

SUFFIXES = (".jsonl", ".csv", ".tsv", ".xlsx", ".txt")

_SEPARATORS = {".csv": ",;\t", ".tsv": "\t"}  # German Excel writes semicolons into a CSV

Row = tuple[str, dict[str, Any]]  # its place, as people say it, and its cells by column name


def read(path: Path) -> Iterator[Row]:
    """The rows of a table; any other suffix is read as JSONL. Raises UserError for anything else."""
    if path.suffix.lower() in _SEPARATORS:
        yield from _csv(path)
    elif path.suffix.lower() == ".xlsx":
        yield from _xlsx(path)
    elif path.suffix.lower() == ".txt" and not _is_jsonl(path):
        yield from _lines(path)
    else:
        for number, row in files.read_rows(path):
            yield f"{path}, line {number}", row


def cell(row: Mapping[str, Any], name: str) -> str:
    """A cell's text without surrounding white space, normalised as documents are (`repair`); "" for an empty cell."""
    value = row.get(name)
    return "" if value is None else repair(str(value)).strip()


def _is_jsonl(path: Path) -> bool:
    with path.open("rb") as file:
        return next((line for line in file if line.strip()), b"").lstrip().startswith(b'{"')


def _lines(path: Path) -> Iterator[Row]:
    """A query per line; a first line `query` is a header."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it to UTF-8") from error
    for number, line in enumerate(lines, 1):
        if line.strip() and not (number == 1 and line.strip().lower() == "query"):
            yield f"{path}, line {number}", {"query": line.strip()}


def _csv(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _separator(file, _SEPARATORS[path.suffix.lower()])
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            names = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if any(value.strip() for value in cells):
                    if names == ["query"]:  # a log: what looks like a separator is the query's own
                        cells = [separator.join(cells)]
                    where = f"{path}, line {reader.line_num}"
                    yield where, _row(where, names, cells)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it to UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} is not valid CSV: {error}") from error


def _row(where: str, names: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    """The cells of a row by column; None where it has fewer. Raises UserError that names a row that has more."""
    if any(cell({"": value}, "") for value in cells[len(names) :]):
        raise UserError(f"{where} has {len(cells)} cells, the header {len(names)}: put the text in quotes")
    return dict(zip(names, [*cells, *[None] * (len(names) - len(cells))], strict=False))


def _separator(file: IO[str], separators: str) -> str:
    """The first separator with which the header contains the column that every table has; otherwise the first."""
    header = file.readline()
    for separator in separators:
        try:
            names = next(csv.reader([header], delimiter=separator), [])
        except csv.Error:  # reported with its line when the table is read
            break
        if "query" in (name.strip() for name in names):
            return separator
    return separators[0]


def _xlsx(path: Path) -> Iterator[Row]:
    import openpyxl

    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones
            header, *rows = [*sheet.iter_rows(values_only=True)] or [()]
    except Exception as error:  # from zip, XML or openpyxl: all mean that it is not an XLSX
        raise UserError(f"{path} could not be read as XLSX: save it again, or export it as CSV") from error
    columns = [str(name or "").strip() for name in header]
    for number, values in enumerate(rows, start=2):
        if any(cell({"": value}, "") for value in values):
            where = f"{path}, row {number}"
            yield where, _row(where, columns, values)
