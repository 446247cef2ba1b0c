"""Passages that are cut already: JSON, JSONL, Parquet and Arrow → sections, one a record."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.sections import Section

_BATCH = 1000  # rows


def json_records(path: Path, source: str, fields: Fields) -> Content:
    """Read an array of objects, or an object that holds one list of objects beside anything else."""
    value = load_json(path)
    if value is None:
        return [], {}
    if isinstance(value, dict):
        lists = [held for held in value.values() if isinstance(held, list) and held and isinstance(held[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise UnreadableError("no list of objects in it")
    return _sections(value, source, fields)


def jsonl_records(path: Path, source: str, fields: Fields) -> Content:
    """Read one object a line; blank lines are left out, and not counted as rows."""

    def rows() -> Iterator[Any]:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _json(line, number)

    return _sections(rows(), source, fields)


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
            return _sections((row for batch in batches for row in batch.to_pylist()), source, fields)
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
            return _sections(rows(file), source, fields)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError("broken, or no Arrow file") from error


def _columns(names: Iterable[str], fields: Fields) -> list[str]:
    if fields.text not in (there := set(names)):
        raise _missing_field(fields.text)
    return [name for name in dict.fromkeys((fields.id, "_id", fields.title, fields.text)) if name in there]


def _missing_field(field: str) -> UnreadableError:
    return UnreadableError(f"no field `{field}` in it: set ingest.fields to the names of its fields")


def _sections(rows: Iterable[Any], source: str, fields: Fields) -> Content:
    """One section a record. Raises UnreadableError where an id comes twice, or no record has the text's field."""
    sections: list[Section] = []
    first: dict[str, int] = {}  # the row of each id
    known = False
    number = 0
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise UnreadableError(f"row {number} is no object")
        known = known or fields.text in row
        text = row.get(fields.text)
        if text is not None and not isinstance(text, str):
            raise UnreadableError(f"row {number}: its field `{fields.text}` is no text")
        if not (text := repair(text or "").strip()):
            continue
        given = row.get(fields.id, row.get("_id"))
        name = str(number) if given is None or given == "" else repair(str(given))
        if first.setdefault(name, number) != number:
            raise UnreadableError(f"row {number} has the id of row {first[name]}: each must be there once")
        title = row.get(fields.title)
        title = "" if title is None else " ".join(repair(str(title)).split())
        sections.append(Section(source, name, name, title, text, title or f"{source}#{name}"))
    if number and not known:
        raise _missing_field(fields.text)
    left_out = number - len(sections)
    return sections, {"records_without_text": left_out} if left_out else {}
