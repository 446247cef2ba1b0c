"""Passages that are cut already: JSON, JSONL, Parquet, Arrow and tables of records → sections, one a record."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.sections import Section

_BATCH = 1000  # rows
_IDS = ("_id",)  # other names of the id: BEIR's
_TITLES = ("question",)  # and of the title, in tables: of questions and answers
_TEXTS = ("answer",)


def json_records(path: Path, source: str, fields: Fields) -> Content:
    """Read an array of objects, or an object that holds one list of objects beside anything else.

    Fields may be nested: `data[].attributes.body` is the text of each element of the list `data`.
    """
    value = load_json(path)
    if value is None:
        return [], {}
    if "[]" in fields.text:
        inside, _, text = fields.text.partition("[].")
        prefix = f"{inside}[]."
        value = _nested(value, inside) if inside else value
        fields = Fields(fields.id.removeprefix(prefix), fields.title.removeprefix(prefix), text)
        if not isinstance(value, list):
            raise UnreadableError(f"no list `{inside}` in it: set ingest.fields to the names of its fields")
    elif isinstance(value, dict):
        lists = [held for held in value.values() if isinstance(held, list) and held and isinstance(held[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise UnreadableError("no list of objects in it")
    return sections_of(value, source, fields)


def jsonl_records(path: Path, source: str, fields: Fields) -> Content:
    """Read one object a line; blank lines are left out, and not counted as rows."""

    def rows() -> Iterator[Any]:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _json(line.strip(), number)

    # Of BEIR's corpus the title is text, if there is no other.
    return sections_of(rows(), source, fields, title_is_text=path.name == "corpus.jsonl")


def load_json(path: Path) -> Any:
    """Read a JSON file; None if it is blank. Raises UnreadableError with the line of the mistake."""
    data = path.read_bytes()
    return _json(data) if data.strip() else None


def _json(data: bytes, line: int = 1) -> Any:
    """Read JSON that begins in a line of a file."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"line {line + error.lineno - 1} is not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        lines = data.count(b"\n", 0, error.start)
        raise UnreadableError(f"line {line + lines} is not UTF-8 text") from error


def parquet_records(path: Path, source: str, fields: Fields) -> Content:
    """Read a Parquet file by batches of rows, and only the columns that are named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(file.schema_arrow.names, fields)
            batches = file.iter_batches(batch_size=_BATCH, columns=columns)
            return sections_of((row for batch in batches for row in batch.to_pylist()), source, fields)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("broken, or no Parquet file") from error


def arrow_records(path: Path, source: str, fields: Fields) -> Content:
    """Read an Arrow file as HF data sets are stored: the stream format or the file format."""
    import pyarrow as pa

    def rows(file: Any) -> Iterator[Any]:
        if file.read(6) == b"ARROW1":
            reader = pa.ipc.open_file(file)
            batches: Iterable[Any] = (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            file.seek(0)
            batches = reader = pa.ipc.open_stream(file)
        columns = _columns(reader.schema.names, fields)
        for batch in batches:
            chosen = batch.select(columns)
            for start in range(0, len(chosen), _BATCH):
                yield from chosen.slice(start, _BATCH).to_pylist()

    try:
        with pa.memory_map(str(path)) as file:
            return sections_of(rows(file), source, fields)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("broken, or no Arrow file") from error


def table_records(rows: Sequence[Sequence[str]], source: str, fields: Fields, prefix: str = "") -> Content | None:
    """The rows of a table as records, if its header says that each is a passage: a text (or `answer`), and an id, a
    title or a `question`; otherwise None. `prefix` stands before their ids.
    """
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []

    def column(*names: str) -> str | None:
        return next((name for name in map(str.casefold, names) if name in header), None)

    key, title, text = column(fields.id, *_IDS), column(fields.title, *_TITLES), column(fields.text, *_TEXTS)
    if text is None or (title is None and key is None):
        return None
    filled = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    records = [dict(zip(header, row, strict=False)) for row in filled]
    if key is not None and prefix:
        records = [{**record, key: f"{prefix}{record.get(key, '')}"} for record in records]
    sections, counts = sections_of(records, source, Fields(key or fields.id, title or fields.title, text))
    return sections, {"rows_as_passages": len(sections), **counts}


def _columns(names: Iterable[str], fields: Fields) -> list[str]:
    there = set(names)
    roots = [field.partition(".")[0] for field in (fields.id, *_IDS, fields.title, fields.text)]
    if roots[-1] not in there:
        raise _missing_field(fields.text)
    return [name for name in dict.fromkeys(roots) if name in there]


def _missing_field(field: str) -> UnreadableError:
    return UnreadableError(f"no field `{field}` in it: set ingest.fields to the names of its fields")


def _nested(row: Any, field: str) -> Any:
    """A field of a record, by a path such as `attributes.body`; None if it has none."""
    if isinstance(row, Mapping) and field in row:
        return row[field]
    first, _, rest = field.partition(".")
    return _nested(row[first], rest) if rest and isinstance(row, Mapping) and first in row else None


def sections_of(rows: Iterable[Any], source: str, fields: Fields, title_is_text: bool = False) -> Content:
    """One section a record. Raises UnreadableError if an id comes twice, or no record has the text's field.

    With `title_is_text` the title is the text of a record that has no other, as in BEIR; without, the record is left
    out and counted.
    """
    sections: list[Section] = []
    first: dict[str, int] = {}  # the row of each id
    known = False
    number = 0
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise UnreadableError(f"row {number} is not an object")
        text = _nested(row, fields.text)
        known = known or text is not None or fields.text in row
        if text is not None and not isinstance(text, str):
            raise UnreadableError(f"row {number}: its field `{fields.text}` is not text")
        given = _nested(row, fields.title)
        title = "" if given is None else " ".join(repair(str(given)).split())
        if not (text := repair(text or "").strip() or (title if title_is_text else "")):
            continue
        given = next((v for name in (fields.id, *_IDS) if (v := _nested(row, name)) is not None), None)
        name = str(number) if given is None or given == "" else repair(str(given))
        if first.setdefault(name, number) != number:
            raise UnreadableError(f"row {number} has the id of row {first[name]}: each must be there once")
        headings = (title,) if title else ()
        sections.append(Section(source, name, name, title, text, title or f"{source}#{name}", headings))
    if number and not known:
        raise _missing_field(fields.text)
    left_out = number - len(sections)
    return sections, {"records_without_text": left_out} if left_out else {}
