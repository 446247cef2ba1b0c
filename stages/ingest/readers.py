"""Files of each format → sections.

The formats' own libraries do the reading. markitdown, which wraps them, is used where it adds to them (Word's
equations, damaged Word files). Elsewhere it takes away: it reads cells that say NA or None as empty, CSV by commas
alone, an EPUB's navigation as text, Arabic in PDFs from its wrong end, without pages, and a hundred times slower.
"""

import codecs
import contextlib
import csv
import io
import itertools
import posixpath
import re
import statistics
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from stages import files
from stages.ingest.language import guess
from stages.ingest.records import Fields, Found, arrow_records, json_records, jsonl_records, load_json, parquet_records
from stages.ingest.records import UnreadableError as UnreadableError
from stages.ingest.repair import repair
from stages.ingest.sections import Part, Section, markdown_sections, outlined, plain_section, slug

_TEXT_LIBRARIES = (
    "beautifulsoup4",
    "charset-normalizer",
    "docutils",
    "lxml",
    "markdown-it-py",
    "markdownify",
    "py3langid",
)
_FILE_LIBRARIES = ("mammoth", "markitdown", "openpyxl", "pyarrow", "pypdfium2", "python-pptx", "xlrd")
_MODULES = ("language", "readers", "records", "repair", "sections", "../text")
# What readers do: for the key of a cache.
VERSION = " ".join(
    [
        files.digest(*(Path(__file__).parent / f"{name}.py" for name in _MODULES)),
        f"python={sys.version.split()[0]}",
        *(f"{name}={version(name)}" for name in (*_TEXT_LIBRARIES, *_FILE_LIBRARIES)),
    ]
)


def read(path: Path, source: str, fields: Fields) -> Found:
    """The sections of one file, and counts of what was left out, such as `{"repeated_page_lines": 12}`.

    `source` is the file's path as sections name it. A file without text gives no sections. Raises UnreadableError.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableError(f"no reader for `{suffix}`")
    try:
        if suffix in _BINARY and not path.stat().st_size:
            raise UnreadableError("empty file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what libraries find odd in a file that they can read
            return SUFFIXES[suffix](path, source, fields)
    except UnreadableError:
        raise
    except Exception as error:  # no library says what it raises on a broken file; a message may quote the text
        why = error.strerror if isinstance(error, OSError) else None
        raise UnreadableError(why or f"broken, or no {suffix[1:].upper()} file ({type(error).__name__})") from error


# Text


# Encodings from before Unicode. The Latin ones are hard to tell apart.
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
_OTHERS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949")
# What web pages that declare these really hold (WHATWG's table).
_DECLARED = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
# Those of a few bytes, such as examples in a text about them, stay.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[\w+/=%-]{64,}")


def _decoded(data: bytes, declared: str | None = None) -> str:
    """Text of bytes: as their mark or UTF-8 has it, else as declared, else by a guess."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        if b"\0" not in data:
            return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if b"\0" in data:
        raise UnreadableError("binary, not text")
    if declared:
        try:
            name = codecs.lookup(declared).name
            return data.decode(_DECLARED.get(name, name))
        except (LookupError, UnicodeDecodeError):
            pass
    # A few wrong bytes do not make it another encoding.
    loose = data.decode("utf-8", errors="replace")
    if 10 * loose.count("\ufffd") < len(loose) - len(loose.encode("ascii", errors="ignore")):
        return loose
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=[*_LATIN, *_OTHERS]).best()
    if best is None:
        raise UnreadableError("binary, not text")
    if best.encoding not in _LATIN:
        return str(best)

    def likely(encoding: str) -> float:
        lines = data.decode(encoding, errors="replace").split("\n")
        return guess(" ".join(line for line in lines if not line.isascii()))[1]

    # Which of the Latin encodings makes a language of it.
    return data.decode(max(_LATIN, key=likely), errors="replace")


def _text(path: Path) -> str:
    return repair(_decoded(path.read_bytes()))


def _plain(path: Path, source: str, _: Fields) -> Found:
    return plain_section(source, _text(path), repair(path.stem)), {}


def _markdown(path: Path, source: str, _: Fields) -> Found:
    return markdown_sections(source, _DATA_URI.sub("", _text(path)), repair(path.stem)), {}


def _notebook(path: Path, source: str, _: Fields) -> Found:
    """Markdown cells as they are, code cells fenced, their output left out."""
    notebook = load_json(path)
    if notebook is None:
        return [], {}
    if not isinstance(notebook, dict) or "cells" not in notebook:
        raise UnreadableError("no cells in it: not a notebook of format 4")
    told = notebook.get("metadata", {}).get("language_info", {}).get("name", "")

    def written() -> Iterator[str]:
        for cell in notebook["cells"]:
            lines = cell.get("source", "")
            text = (lines if isinstance(lines, str) else "".join(lines)).strip("\n")
            yield text if cell["cell_type"] == "markdown" else _fenced(text, told * (cell["cell_type"] == "code"))

    text = repair("\n\n".join(filter(None, written())))
    return markdown_sections(source, _DATA_URI.sub("", text), repair(path.stem)), {}


def _fenced(text: str, language: str = "") -> str:
    """A block of code, by a fence that is longer than any in it; nothing where it is blank."""
    if not text.strip():
        return ""
    code = text.strip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


# HTML, and what is read by way of it


_UNSEEN = {"script", "style", "nav", "footer", "noscript", "template", "svg", "button", "select", "iframe"}
_UNSEEN_ROLES = {"navigation", "contentinfo", "search"}
_LINK_SIGNS = {"¶", "#", "§", "🔗", "↑", "↩", "↩︎"}  # links to the heading itself, or back from a footnote
_MARK = "\ufdd0"  # Unicode keeps it out of texts
_MARKED = re.compile(rf"^{_MARK}(\d) (.*)$", re.MULTILINE)
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_NESTED = frozenset(("li", "dd", "blockquote", "td", "th"))


_Converter: Any = MarkdownConverter  # its stub leaves out what it is for subclasses to change


class _Marking(_Converter):  # type: ignore[misc]
    """Markdown whose headings are marked apart: no line of text can pass for one, and nothing needs escaping."""

    class Options:
        wrap = True  # one line a paragraph: sentences end at line breaks too
        wrap_width = None
        table_infer_header = True
        strip = ("a", "b", "strong", "i", "em", "u", "del", "s", "kbd", "samp")  # their words stay
        strip_document = None

    # Blocks that the library runs together with what is beside them.
    convert_main = convert_header = convert_aside = convert_form = convert_fieldset = _Converter.convert_div
    convert_address = convert_details = convert_summary = convert_figure = _Converter.convert_div
    convert_center = convert_figcaption = convert_caption = _Converter.convert_div

    def escape(self, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_hN(self, n: int, el: Any, text: str, parent_tags: set[str]) -> str:
        words = " ".join(text.split())
        if not words or "_inline" in parent_tags:
            return words
        return f"\n\n{words}\n\n" if parent_tags & _NESTED else f"\n\n{_MARK}{n} {words}\n\n"

    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"

    def convert_code(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return text if parent_tags & _HEADINGS else str(super().convert_code(el, text, parent_tags))

    def convert_img(self, el: Any, text: str, parent_tags: set[str]) -> str:
        alt = str(el.get("alt") or "")
        return "" if alt == el.get("src") else alt

    def convert_video(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))

    def convert_th(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_th(el, text.replace("|", "\\|"), parent_tags))

    def convert_pre(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return f"\n\n{_fenced(text)}\n\n"


def _soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html.replace(_MARK, ""), "lxml")


def _marked(soup: BeautifulSoup) -> str:
    """Markdown of what a reader of the page sees of it, its headings marked."""
    for tag in reversed([tag for tag in soup.find_all(True) if _is_unseen(tag)]):  # the inner ones first
        tag.decompose()
    mains = soup.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    root = next((main for main in mains if main.get_text(strip=True)), soup.body or soup)
    try:
        return str(_Marking().convert_soup(root))
    except RecursionError:  # nested too deeply
        return root.get_text("\n", strip=True)


def _is_unseen(tag: Tag) -> bool:
    if tag.name == "a":
        return tag.get_text(strip=True) in _LINK_SIGNS
    return tag.name in _UNSEEN or tag.get("role") in _UNSEEN_ROLES or "linenos" in (tag.get("class") or ())


def _outlined(source: str, path: Path, title: str, marked: str) -> list[Section]:
    """The sections of Markdown whose headings are marked."""
    opening, *rest = _MARKED.split(repair(marked))
    parts = [
        Part(int(level), " ".join(heading.split()), text)
        for level, heading, text in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    ]
    return outlined(source, repair(path.stem), " ".join(repair(title).split()) or repair(path.stem), opening, parts)


def _title(soup: BeautifulSoup) -> str:
    return soup.title.get_text() if soup.title else ""


def _html_text(data: bytes) -> str:
    return _decoded(data, EncodingDetector.find_declared_encoding(data, is_html=True))


def _html(path: Path, source: str, _: Fields) -> Found:
    soup = _soup(_html_text(path.read_bytes()))
    title = _title(soup)
    return _outlined(source, path, title, _marked(soup)), {}


def _epub(path: Path, source: str, _: Fields) -> Found:
    """The chapters in reading order, without the table of contents."""
    with ZipFile(path) as book:

        def parsed(name: str) -> BeautifulSoup:
            return BeautifulSoup(book.read(name), "xml")

        def attribute(found: Any, name: str) -> str:
            return str(found[name])

        package = attribute(parsed("META-INF/container.xml").find("rootfile"), "full-path")
        folder = posixpath.dirname(package)
        opf = parsed(package)
        items = {attribute(item, "id"): item for item in opf.find_all("item")}
        locked: set[str] = set()
        if "META-INF/encryption.xml" in book.namelist():
            references = parsed("META-INF/encryption.xml").find_all("CipherReference")
            locked = {unquote(attribute(reference, "URI")) for reference in references}
        named = opf.find("title")
        title = named.get_text() if named else ""
        chapters: list[str] = []
        for reference in opf.find_all("itemref"):
            item = items.get(attribute(reference, "idref"))
            if item is None or "nav" in str(item.get("properties", "")).split():
                continue
            name = posixpath.normpath(posixpath.join(folder, unquote(attribute(item, "href"))))
            if name in locked:
                raise UnreadableError("encrypted")
            soup = _soup(_html_text(book.read(name)))
            heading = " ".join(_title(soup).split())
            marked = _marked(soup).strip()
            # A chapter without headings goes by its title. One that has the book's is the rest of the last.
            if marked and not _MARKED.search(marked) and heading and heading != " ".join(title.split()):
                marked = f"{_MARK}1 {heading}\n\n{marked}"
            chapters.append(marked)
    return _outlined(source, path, title, "\n\n".join(chapters)), {}


# Names of roles and directives that docutils does not know, and whose texts it would drop: Sphinx's, and any others.
_DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:.+-]+?)[ \t]*::(?:[ \t]|$)", re.MULTILINE)
_ROLE = re.compile(r":([\w:.+-]+):`|`:([\w:.+-]+):")
_CODE = {"code", "code-block", "sourcecode", "prompt", "ipython", "doctest", "testcode", "testoutput", "math"}
_SILENT = {"toctree", "index", "highlight", "currentmodule", "literalinclude", "tabularcolumns"}
_CONDITIONS = {"only", "ifconfig"}  # their argument is no text
_SAID = {"versionadded": "Added in", "versionchanged": "Changed in", "deprecated": "Deprecated since"}  # before it
_FILE_FIELDS = re.compile(r"\A(\s*:(orphan|tocdepth|nosearch|nocomments):.*\n)+")  # Sphinx's, before the title
_RST_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 3,  # errors, which hold the text that docutils gave up on
    "halt_level": 5,
    "warning_stream": False,
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "math_output": "LaTeX",
    "smart_quotes": False,
}


def _rst(path: Path, source: str, _: Fields) -> Found:
    from docutils.core import publish_parts  # type: ignore[import-untyped]

    text = _FILE_FIELDS.sub("", _text(path))
    _keep_unknown(text)
    soup = _soup(publish_parts(text, writer="html5", settings_overrides=_RST_SETTINGS)["html_body"])
    for error in soup.select(".system-message"):
        error.replace_with(*error.find_all("pre"))
    return _outlined(source, path, "", _marked(soup)), {}


def _keep_unknown(text: str) -> None:
    """Teach docutils the roles and directives of `text` that it does not know, as ones that keep their text."""
    from docutils import nodes  # type: ignore[import-untyped]
    from docutils.parsers.rst import Directive, directives, roles  # type: ignore[import-untyped]
    from docutils.parsers.rst.languages import en  # type: ignore[import-untyped]
    from docutils.utils import new_document, unescape  # type: ignore[import-untyped]

    class AnyOption(dict[str, Any]):
        def __bool__(self) -> bool:
            return True

        def __getitem__(self, name: str) -> Callable[[str | None], str | None]:
            return lambda value: value

    class Kept(Directive):  # type: ignore[misc]
        optional_arguments = 1
        final_argument_whitespace = True
        has_content = True
        option_spec = AnyOption()

        def run(self) -> list[Any]:
            name = self.name.rpartition(":")[2].lower()
            content = "\n".join(self.content)
            if name in _CODE:  # its argument is the language's name
                return [nodes.literal_block(content, content)] if content else []
            if name in _SILENT:
                return []
            box = nodes.container()
            if self.arguments and name not in _CONDITIONS:
                box += nodes.paragraph("", f"{_SAID.get(name, '')} {self.arguments[0]}".strip())
            self.state.nested_parse(self.content, self.content_offset, box, match_titles=True)
            return [box]

    def kept(name: str, rawtext: str, words: str, *_: Any, **__: Any) -> tuple[list[Any], list[Any]]:
        # `Words <target>` reads as its words; `~` and `!` are marks.
        shown = re.sub(r"\s*<[^<>]*>$", "", unescape(words)) or unescape(words)
        return [nodes.inline(rawtext, shown.lstrip("~!"))], []

    document = new_document("", None)
    document.reporter.report_level = 5
    for name in dict.fromkeys(_DIRECTIVE.findall(text)):
        # docutils' own for code stop at options that it does not know.
        if name.lower() in _CODE or directives.directive(name, en, document)[0] is None:
            directives.register_directive(name.lower(), Kept)
    for name in {first or second for first, second in _ROLE.findall(text)}:
        if roles.role(name, en, 0, document.reporter)[0] is None:
            roles.register_local_role(name, kept)


# Office files


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of Office files that are old, or encrypted
# The first title is the document's; deeper headings than HTML has; tables of contents are no text.
_WORD_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='heading 7'] => h6:fresh
p[style-name='heading 8'] => h6:fresh
p[style-name='heading 9'] => h6:fresh
p[style-name^='toc '] => !
p[style-name^='TOC '] => !
"""


def _not_ole(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_OLE)) == _OLE:
            locked = "EncryptedPackage".encode("utf-16-le") in file.read()
            raise UnreadableError("encrypted" if locked else "an old Office file under a new name: save it anew")


def _docx(path: Path, source: str, _: Fields) -> Found:
    """Word's headings, lists, tables, notes and equations (as LaTeX); no headers, footers, comments or pictures."""
    import mammoth  # type: ignore[import-untyped]
    from markitdown.converter_utils.docx.pre_process import pre_process_docx

    _not_ole(path)
    with path.open("rb") as file:
        result = mammoth.convert_to_html(
            pre_process_docx(file), style_map=_WORD_STYLES, convert_image=lambda picture: []
        )
    soup = _soup(result.value)
    if soup.select("h1.title"):
        for heading in soup.select("h1, h2, h3, h4, h5"):
            if heading.get("class") != ["title"]:
                heading.name = f"h{int(heading.name[1]) + 1}"
    return _outlined(source, path, "", _marked(soup)), {}


def _pptx(path: Path, source: str, _: Fields) -> Found:
    """A section a slide: its title, its texts from top to bottom, its notes."""
    from pptx import Presentation

    _not_ole(path)
    titles: list[str] = []
    bodies: list[list[str]] = []
    notes: list[str] = []
    for slide in Presentation(str(path)).slides:
        title = slide.shapes.title
        titles.append(" ".join(repair(title.text_frame.text).split()) if title is not None else "")
        bodies.append(repair("\n".join(_shape_texts(slide.shapes, title))).split("\n"))
        frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        notes.append(repair(frame.text) if frame is not None else "")
    bodies, dropped = _without_repeated(bodies)
    name = repair(path.stem)
    parts = [
        # The first slide's title is the presentation's.
        Part(1 if number == 1 and title else 2, title or f"Slide {number}", "\n".join([*body, "", note]))
        for number, (title, body, note) in enumerate(zip(titles, bodies, notes, strict=True), start=1)
    ]
    return outlined(source, name, name, "", parts), dropped


def _shape_texts(shapes: Iterable[Any], title: Any) -> Iterator[str]:
    """The texts of shapes from top to bottom, but for the title and what stands on each slide."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if title is not None and shape.element is title.element:
            continue
        if hasattr(shape, "shapes"):
            yield from _shape_texts(shape.shapes, title)
        elif shape.has_text_frame:
            kind = shape.placeholder_format.type if shape.is_placeholder else None
            if kind not in (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER):
                yield shape.text_frame.text
        elif shape.has_table:
            yield _table_text([[cell.text for cell in row.cells] for row in shape.table.rows])
        else:
            with contextlib.suppress(Exception):  # a kind of chart that the library does not know
                yield from [_chart_text(shape.chart)] if shape.has_chart else _diagram_texts(shape)


def _chart_text(chart: Any) -> str:
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    series = list(chart.series)
    columns = [("", *(str(label) for label in chart.plots[0].categories))]
    columns += [(one.name, *(_cell(value) for value in one.values)) for one in series]
    length = max(map(len, columns))
    rows = [[column[row] if row < len(column) else "" for column in columns] for row in range(length)]
    return f"{title}\n{_table_text(rows)}"


def _diagram_texts(shape: Any) -> Iterator[str]:
    """The texts of SmartArt, which lie in a part of their own."""
    office = "http://schemas.openxmlformats.org"
    for ids in shape.element.iter(f"{{{office}/drawingml/2006/diagram}}relIds"):
        data = shape.part.related_part(ids.get(f"{{{office}/officeDocument/2006/relationships}}dm")).blob
        for paragraph in BeautifulSoup(data, "xml").find_all("p"):
            yield "".join(run.get_text() for run in paragraph.find_all("t"))


def _workbook(path: Path, source: str, _: Fields) -> Found:
    """A section a sheet, as one table whose first row is its header."""
    with path.open("rb") as file:
        sheets = _xlsx_sheets(path) if file.read(2) == b"PK" else _xls_sheets(path)
    # Only rows with something in them: a sheet may be formatted down to its last row, the millionth.
    tables = [(name, [row for row in rows if any(row)]) for name, rows in sheets]
    name = repair(path.stem)
    return outlined(source, name, name, "", [Part(2, repair(title), _table_text(rows)) for title, rows in tables]), {}


def _xlsx_sheets(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    import openpyxl

    with path.open("rb") as file:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            yield sheet.title, ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))


def _xls_sheets(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    import xlrd  # type: ignore[import-untyped]

    if path.suffix.lower() == ".xlsx":
        _not_ole(path)

    def value(cell: Any) -> Any:
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        return None if cell.ctype == xlrd.XL_CELL_ERROR else cell.value

    book = xlrd.open_workbook(str(path), logfile=io.StringIO())
    for sheet in book.sheets():
        yield sheet.name, ([_cell(value(cell)) for cell in row] for row in sheet.get_rows())


def _cell(value: Any) -> str:
    """A cell as it shows by default: 15 digits, no time where there is none."""
    if value is None or value != value:
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _table(path: Path, source: str, _: Fields) -> Found:
    """CSV by commas, semicolons, tabs or bars: one section, whose first row is its header."""
    text = _text(path)
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))

    def rows(delimiter: str) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def regularity(delimiter: str) -> tuple[float, int]:
        """The share of the first rows that have the most frequent number of cells, and that number."""
        widths = [len(row) for row in itertools.islice(rows(delimiter), 100) if row]
        cells, with_it = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (with_it / len(widths), cells) if cells > 1 else (0.0, 1)

    return plain_section(source, _table_text(list(rows(max(",;\t|", key=regularity)))), repair(path.stem)), {}


def _table_text(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is its header, without rows and columns that are blank."""
    width = max(map(len, rows), default=0)
    cells = [[" ".join(repair(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row + [""] * (width - len(row)) for row in cells if any(row)]
    used = [column for column in range(width) if any(row[column] for row in filled)]
    written = [f"| {' | '.join(row[column] for column in used)} |" for row in filled]
    return "\n".join([*written[:1], f"|{' --- |' * len(used)}", *written[1:]]) if written else ""


# PDF

_EDGE = 3  # lines at the top and at the bottom of a page, where headers and footers stand
_LEAST = 4  # pages
_NARROWEST = 30  # bytes of a line in a column
_LINE_HYPHEN = "\ufffe"  # PDFium's mark for a hyphen and the line's end behind it
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_HYPHENS = "-\u2010"
# How points of a list begin, and numbered headings.
_ITEM = re.compile(r"[•▪‣◦●○■□–—*·-]\s|\(?\w{1,3}[.)]\s|\d+(\.\d+)*\.?\s")
# What programs write where no one gave a title.
_NO_TITLE = re.compile(
    r"\W*|(untitled|title|document|(powerpoint )?presentation)\W*\d*|microsoft \w+ - .*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|rtf|odt|odp|tex|dvi|ps|indd|qxd|html?|txt|md)",
    re.IGNORECASE,
)


def _pdf(path: Path, source: str, _: Fields) -> Found:
    """A section a page, without lines that stand at the top or bottom of at least half of the pages."""
    import pypdfium2 as pdfium  # type: ignore[import-untyped]

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise UnreadableError("encrypted" if error.err_code == _PASSWORD_ERROR else "broken, or no PDF file") from error
    with document:
        title = " ".join(repair(document.get_metadata_value("Title")).split())
        pages: list[list[str]] = []
        for page in document:
            text_page = page.get_textpage()
            pages.append(repair(text_page.get_text_range().replace(_LINE_HYPHEN, "-\n")).split("\n"))
            text_page.close()
            page.close()
    blank = sum(not any(map(str.strip, page)) for page in pages)
    if blank == len(pages):
        raise UnreadableError("no text in it: a scan needs OCR first")
    pages, left_out = _without_repeated(pages)
    if blank:
        left_out["pages_without_text"] = blank
    title = repair(path.stem) if _NO_TITLE.fullmatch(title) else title
    full = _full_length(pages)
    sections = [
        Section(source, f"Page {number}", slug(f"Page {number}"), title, text)
        for number, page in enumerate(pages, start=1)
        if (text := _paragraphs(page, full))
    ]
    return sections, left_out


def _without_repeated(pages: Sequence[list[str]]) -> tuple[list[list[str]], dict[str, int]]:
    """Pages, as lines, without those of their edges that are on at least half of the pages, digits aside."""
    edges = [_edge_lines(page) for page in pages]
    counts = Counter(key for page in edges for key in set(page.values()))
    repeated = {key for key, count in counts.items() if count >= max(_LEAST, len(pages) // 2)}
    kept = [
        [line for number, line in enumerate(page) if edge.get(number) not in repeated]
        for page, edge in zip(pages, edges, strict=True)
    ]
    dropped = sum(map(len, pages)) - sum(map(len, kept))
    return kept, {"repeated_page_lines": dropped} if dropped else {}


def _edge_lines(page: Sequence[str]) -> dict[int, str]:
    """What the lines at a page's edges say, digits aside, by their number; without rows of tables."""
    said = [number for number, line in enumerate(page) if line.strip()]
    found: dict[int, str] = {}
    for number in {*said[:_EDGE], *said[-_EDGE:]}:
        key = re.sub(r"\d+", "0", " ".join(page[number].split()))
        # Without letters it is a page's number, alone in the first or last line.
        number_alone = key.count("0") <= 2 and number in (said[0], said[-1])
        if not key.startswith("|") and (number_alone or any(map(str.isalpha, key))):
            found[number] = key
    return found


def _full_length(pages: Sequence[Sequence[str]]) -> float:
    """The length from which a line goes to the margin, in bytes: in UTF-8 those letters have more that are wider."""
    lengths = [len(line.strip().encode()) for page in pages for line in page if line.strip()]
    longest = statistics.quantiles(lengths, n=10, method="inclusive")[-1] if len(lengths) > 1 else 0.0
    return max(0.8 * longest, _NARROWEST)


def _paragraphs(lines: Sequence[str], full: float) -> str:
    """Lines joined to paragraphs: where one goes to the margin, or the next goes on in lower case."""
    lines = [stripped for line in lines if (stripped := line.strip())]
    if not lines:
        return ""
    text = lines[0]
    for line, following in itertools.pairwise(lines):
        last, first = line[-1], following[0]
        if last in _HYPHENS and line[-2:-1].isalpha() and first.isalpha():
            text = (text[:-1] if first.islower() else text) + following
            continue
        length = len(line.encode())
        goes_on = length >= full or (length >= full / 2 and first.islower() and last not in ".;!?")
        if not goes_on or last == ":" or _ITEM.match(following):
            text += f"\n{following}"
        else:
            text += following if _is_ideographic(last) and _is_ideographic(first) else f" {following}"
    return text


def _is_ideographic(letter: str) -> bool:
    """Whether it is of a script without blanks between words, or of its punctuation."""
    return unicodedata.east_asian_width(letter) in "WF" and "HANGUL" not in unicodedata.name(letter, "")


Reader = Callable[[Path, str, Fields], Found]
# By suffix, in lower case.
SUFFIXES: Mapping[str, Reader] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _plain,
    ".rst": _rst,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".pdf": _pdf,
    ".docx": _docx,
    ".pptx": _pptx,
    ".xlsx": _workbook,
    ".xls": _workbook,
    ".csv": _table,
    ".tsv": _table,
    ".epub": _epub,
    ".ipynb": _notebook,
    ".json": json_records,
    ".jsonl": jsonl_records,
    ".parquet": parquet_records,
    ".arrow": arrow_records,
}
_BINARY = {".pdf", ".docx", ".pptx", ".xlsx", ".xls", ".epub", ".parquet", ".arrow"}
