"""The formats that pandoc reads, as pages: Word, OpenDocument, RTF, Org, LaTeX, AsciiDoc."""

import re
import subprocess
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from lxml import etree  # type: ignore[import-untyped]

from stages.ingest.formats import Content, Fields, UnreadableError, archives, html
from stages.ingest.formats.text import text_of

EXTRA = "pip install -e '.[documents]'"
FORMATS = {".odt": "odt", ".rtf": "rtf", ".org": "org", ".tex": "latex", ".adoc": "asciidoc", ".asciidoc": "asciidoc"}
_RTF_HEADING = re.compile(rb"\{\\s(\d+)\b[^{};]*\bheading ([1-9]);\}", re.IGNORECASE)
_RTF_STYLE = re.compile(rb"\\s(\d+)(?!\d)")
_ADDRESS = "{http://www.w3.org/1999/xlink}href"
# Of AsciiDoc's tables, which pandoc reads as if each cell were in one row.
_ROW_SPAN = re.compile(r"(?:^|(?<=\s))\d*\.\d+\+[<>^.]*[a-z]?\|", re.MULTILINE)
_SECONDS = 120  # a file that takes longer is broken in a way that pandoc does not see


def read(path: Path, source: str, _: Fields) -> Content:
    format = FORMATS[path.suffix.lower()]
    title, lost = "", {}
    if format == "odt":
        title, data = _odt(path)
    elif format == "rtf":
        data = _rtf(path.read_bytes())
    else:
        text = text_of(path)
        data = text.encode()  # pandoc takes text in UTF-8 alone
        if format == "asciidoc" and (spans := len(_ROW_SPAN.findall(text))):
            lost = {"row_spans_of_tables": spans}
    return html.sections(path, source, title, html.marked(page(data, format))), lost


def _odt(path: Path) -> tuple[str, bytes]:
    """The title, which pandoc leaves out, and the file with its text boxes and formulas where pandoc looks for them."""
    parts = archives.read_parts(path)
    text = archives.parsed(parts["content.xml"])
    archives.free_text_boxes(text, "text-box", ("frame",))
    for formula in text.iter("{*}object"):
        formula.set(_ADDRESS, formula.get(_ADDRESS, "").rstrip("/"))
    parts["content.xml"] = etree.tostring(text)
    title = BeautifulSoup(parts.get("meta.xml", b""), "xml").find("title")
    return title.get_text() if title else "", archives.packed(parts)


def _rtf(data: bytes) -> bytes:
    """RTF whose footnotes are not marked as text to skip, and whose paragraphs have the outline level of their style:
    LibreOffice leaves it to the style's name.
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableError("broken, or no RTF file")
    levels = {number: int(level) - 1 for number, level in _RTF_HEADING.findall(data)}
    start = max((match.end() for match in _RTF_HEADING.finditer(data)), default=0)

    def levelled(match: re.Match[bytes]) -> bytes:
        return b"%b\\outlinelevel%d" % (match[0], levels[match[1]]) if match[1] in levels else match[0]

    text = _RTF_STYLE.sub(levelled, data[start:])
    return data[:start] + text.replace(b"{\\*\\footnote", b"{\\footnote")


def page(data: bytes, format: str) -> BeautifulSoup:
    """A document as a page; its title, if it has one, is the only `h1`. Raises UnreadableError.

    Pandoc runs in its sandbox: it reads no other file and fetches nothing.
    """
    options = ["--from", format, "--to", "html", "--standalone", "--mathjax", "--wrap=none", "--sandbox"]
    options += ["--metadata=pagetitle:-", "--syntax-highlighting=none", "+RTS", "-M1g", "-RTS"]
    try:
        run = subprocess.run([_program(), *options], input=data, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UnreadableError(f"pandoc did not read it in {_SECONDS} s") from None
    if run.returncode:  # its message may quote the text
        raise UnreadableError(f"broken, or no {format} file")
    soup = html.parsed(run.stdout.decode("utf-8").replace("<br />\n", "<br />"))
    for part in soup.select("head, nav#TOC, section.footnotes > hr"):
        part.decompose()
    for formula in soup.select("span.math"):
        inner = formula.get_text().strip()[2:-2].strip()
        formula.replace_with(f"$${inner}$$" if "display" in (formula.get("class") or ()) else f"${inner}$")
    title = soup.select_one("h1.title")
    if title is not None:
        for heading in soup.find_all(["h1", "h2", "h3", "h4", "h5"]):
            if heading is not title:
                heading.name = f"h{int(heading.name[1]) + 1}"
    return soup


@cache
def _program() -> str:
    try:
        import pypandoc  # type: ignore[import-untyped]
    except ImportError:
        raise UnreadableError(f"needs pandoc: {EXTRA}") from None
    return str(pypandoc.get_pandoc_path())
