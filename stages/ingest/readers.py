"""Files of each format → sections. Each format's reader is a module of `formats`."""

import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from fieldtune.corpus import files, scripts, unicode
from stages.ingest.formats import (
    Content,
    Fields,
    Reader,
    UnreadableError,
    csv,
    docx,
    epub,
    excel,
    html,
    markdown,
    notebook,
    pdf,
    pptx,
    records,
    rst,
    text,
)

# By suffix, in lower case.
SUFFIXES: Mapping[str, Reader] = {
    ".md": markdown.read,
    ".markdown": markdown.read,
    ".txt": text.read,
    ".rst": rst.read,
    ".html": html.read,
    ".htm": html.read,
    ".xhtml": html.read,
    ".pdf": pdf.read,
    ".docx": docx.read,
    ".pptx": pptx.read,
    ".xlsx": excel.read,
    ".xls": excel.read,
    ".csv": csv.read,
    ".tsv": csv.read,
    ".epub": epub.read,
    ".ipynb": notebook.read,
    ".json": records.json_records,
    ".jsonl": records.jsonl_records,
    ".parquet": records.parquet_records,
    ".arrow": records.arrow_records,
}
_LIBRARIES = (
    "beautifulsoup4",
    "charset-normalizer",
    "docutils",
    "lxml",
    "mammoth",
    "markdown-it-py",
    "markdownify",
    "markitdown",
    "openpyxl",
    "py3langid",
    "pyarrow",
    "pypdfium2",
    "python-pptx",
    "xlrd",
)
_HERE = Path(__file__).parent
# The modules that decide what is read.
SOURCES = (
    *sorted((_HERE / "formats").glob("*.py")),
    *(_HERE / f"{name}.py" for name in ("language", "readers", "sections")),
    *(Path(str(module.__file__)) for module in (scripts, unicode)),
)
# What readers do: for the key of a cache.
VERSION = " ".join(
    [
        files.digest(*SOURCES),
        f"python={sys.version.split()[0]}",
        *(f"{name}={version(name)}" for name in _LIBRARIES),
    ]
)


def read(path: Path, source: str, fields: Fields) -> Content:
    """The sections of one file, and counts of what was left out, such as `{"repeated_page_lines": 12}`.

    `source` is the file's path as sections name it. A file without text gives no sections. Raises UnreadableError.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableError(f"no reader for `{suffix}`")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what libraries find odd in a file that they can read
            return SUFFIXES[suffix](path, source, fields)
    except Exception as error:  # no library says what it raises on a broken file
        raise UnreadableError(_reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    """The reason that a file could not be read; not the error's own message, which may quote the text."""
    if path.is_file() and not path.stat().st_size:
        return "empty file"
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"broken, or no {path.suffix[1:].upper()} file ({type(error).__name__})"
