"""CSV and its like."""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, records, writing
from stages.ingest.formats.text import text_of
from stages.ingest.sections import plain_section


def read(path: Path, source: str, fields: Fields) -> Content:
    """Rows by commas, semicolons, tabs or bars: records if the header names them, else one table with its header."""
    text = text_of(path)

    def rows(delimiter: str) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def regularity(delimiter: str) -> tuple[float, int]:
        """The share of the first rows that have the most frequent number of cells, and that number."""
        widths = [len(row) for row in itertools.islice(rows(delimiter), 100) if row]
        cells, with_it = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (with_it / len(widths), cells) if cells > 1 else (0.0, 1)

    limit = csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        table = list(rows(max(",;\t|", key=regularity)))
    finally:
        csv.field_size_limit(limit)
    if content := records.table_records(table, source, fields):
        return content
    return plain_section(source, writing.table(table), repair(path.stem)), {}
