"""Files of each format → sections. Each format's reader is a module of `formats`."""

import gzip
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
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
    legacy,
    mail,
    markdown,
    notebook,
    pandoc,
    pdf,
    pptx,
    records,
    rst,
    text,
)

# By suffix, in lower case.
SUFFIXES: Mapping[str, Reader] = {
    **dict.fromkeys((".md", ".markdown"), markdown.read),
    ".mdx": markdown.read_mdx,
    **dict.fromkeys((".txt", ".text"), text.read),
    ".rst": rst.read,
    **dict.fromkeys((".html", ".htm", ".xhtml"), html.read),
    ".pdf": pdf.read,
    **dict.fromkeys((".docx", ".docm"), docx.read),
    **dict.fromkeys(pandoc.FORMATS, pandoc.read),
    **dict.fromkeys((".doc", ".ppt", ".msg"), legacy.read),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), pptx.read),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls"), excel.read),
    **dict.fromkeys((".csv", ".tsv"), csv.read),
    ".epub": epub.read,
    ".eml": mail.read,
    ".ipynb": notebook.read,
    ".json": records.json_records,
    **dict.fromkeys((".jsonl", ".ndjson"), records.jsonl_records),
    ".parquet": records.parquet_records,
    ".arrow": records.arrow_records,
}
# Source code and its like, read only if `ingest.include` names the suffix.
CODE = frozenset(
    re.findall(
        r"\.\w+",
        ".py .js .jsx .ts .tsx .java .kt .scala .go .c .h .cc .cpp .hpp .cs .rs .rb .php .pl .lua .r .jl .swift .sql "
        ".sh .bash .ps1 .bat .css .scss .vue .proto .graphql .tf .yaml .yml .toml .ini .cfg .conf .xml .log .diff",
    )
)
_TEXTS = re.compile(
    r"readme|licen[cs]e|copying|notice|change(?:log|s)|history|news|authors|contribut\w+|install|todo|faq", re.I
)
_ZIPPED = {".docx", ".docm", ".pptx", ".pptm", ".ppsx", ".xlsx", ".xlsm", ".epub", ".odt", ".xls"}
_MEGABYTE = 1_000_000
MAX_MEGABYTES = 200  # the setting's default
_LIBRARIES = re.findall(
    r"\S+",
    "beautifulsoup4 charset-normalizer docutils lxml markdown-it-py markdownify openpyxl py3langid pyarrow "
    "pypandoc_binary pypdfium2 python-pptx rapidocr xberg xlrd",
)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


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
        *(f"{name}={_version(name)}" for name in _LIBRARIES),
    ]
)


def suffix_of(path: Path) -> str:
    """The suffix that says a file's format, in lower case, without `.gz`; `.txt` of a README without one."""
    path = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return path.suffix.lower() or (".txt" if _TEXTS.fullmatch(path.name) else "")


def read(path: Path, source: str, fields: Fields, max_megabytes: float = MAX_MEGABYTES) -> Content:
    """The sections of one file, and counts of what was left out, such as `{"repeated_page_lines": 12}`.

    `source` is the file's path as sections name it. A file without text gives no sections. Raises UnreadableError, also
    for an archive that unpacks to more than `max_megabytes`, before it is unpacked.
    """
    suffix = suffix_of(path)
    reader = text.read_code if suffix in CODE else SUFFIXES.get(suffix)
    if reader is None:
        raise UnreadableError(f"no reader for `{suffix}`")
    try:
        with warnings.catch_warnings(), _unpacked(path, max_megabytes) as file:
            warnings.simplefilter("ignore", UserWarning)  # what libraries find odd in a file that they can read
            if suffix in _ZIPPED:
                _check_size(file, max_megabytes)
            return reader(file, source, fields)
    except Exception as error:  # no library says what it raises on a broken file
        raise UnreadableError(_reason(path, error)) from error


@contextmanager
def _unpacked(path: Path, max_megabytes: float) -> Iterator[Path]:
    """The file itself, or a copy of what a `.gz` holds."""
    if path.suffix.lower() != ".gz":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.stem
        with gzip.open(path) as packed, copy.open("wb") as file:
            while block := packed.read(1 << 20):
                file.write(block)
                if file.tell() > max_megabytes * _MEGABYTE:
                    raise _too_large(max_megabytes)
        yield copy


def _check_size(path: Path, max_megabytes: float) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            texts = (member for member in archive.infolist() if "/media/" not in member.filename)
            if sum(member.file_size for member in texts) > max_megabytes * _MEGABYTE:
                raise _too_large(max_megabytes)


def _too_large(max_megabytes: float) -> UnreadableError:
    return UnreadableError(f"unpacks to more than {max_megabytes:,g} MB: raise ingest.max_megabytes if that is meant")


def _reason(path: Path, error: Exception) -> str:
    """The reason that a file could not be read; not the error's own message, which may quote the text."""
    if path.is_file() and not path.stat().st_size:
        return "empty file"
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"broken, or no {path.suffix[1:].upper()} file ({type(error).__name__})"
