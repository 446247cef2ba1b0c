"""The formats that pandoc reads, as pages: Word, OpenDocument, RTF, Org, LaTeX, AsciiDoc."""

import re
import subprocess
from functools import cache
from pathlib import Path
from zipfile import ZipFile

from bs4 import BeautifulSoup

from stages.ingest.formats import Content, Fields, UnreadableError, html
from stages.ingest.formats.text import text_of

EXTRA = "pip install -e '.[documents]'"
_FORMATS = {".odt": "odt", ".rtf": "rtf", ".org": "org", ".tex": "latex", ".adoc": "asciidoc", ".asciidoc": "asciidoc"}
_TEXTS = ("org", "latex", "asciidoc")  # which pandoc takes in UTF-8 alone
_RTF_HEADING = re.compile(rb"\{\\s(\d+)\b[^{};]*\bheading ([1-9]);\}", re.IGNORECASE)
_RTF_STYLE = re.compile(rb"\\s(\d+)(?!\d)")
_SECONDS = 120  # a file that takes longer is broken in a way that pandoc does not see


def read(path: Path, source: str, _: Fields) -> Content:
    format = _FORMATS[path.suffix.lower()]
    title = ""
    if format in _TEXTS:
        if not (text := text_of(path)).strip():
            return [], {}
        data = text.encode()
    else:
        data = path.read_bytes()
        if format == "rtf" and not data.lstrip().startswith(b"{\\rtf"):
            raise UnreadableError("broken, or no RTF file")
        if format == "rtf":
            data = _with_outline(data)
        else:
            title = _odt_title(path)
    return html.sections(path, source, title, html.marked(page(data, format))), {}


def _with_outline(rtf: bytes) -> bytes:
    """RTF whose paragraphs have the outline level of their style: LibreOffice leaves it to the style's name."""
    levels = {number: int(level) - 1 for number, level in _RTF_HEADING.findall(rtf)}
    start = max((match.end() for match in _RTF_HEADING.finditer(rtf)), default=0)

    def levelled(match: re.Match[bytes]) -> bytes:
        return b"%b\\outlinelevel%d" % (match[0], levels[match[1]]) if match[1] in levels else match[0]

    return rtf[:start] + _RTF_STYLE.sub(levelled, rtf[start:])


def _odt_title(path: Path) -> str:
    with ZipFile(path) as archive:
        about = archive.read("meta.xml") if "meta.xml" in archive.namelist() else b""
    title = BeautifulSoup(about, "xml").find("title")
    return title.get_text() if title else ""


def page(data: bytes, format: str) -> BeautifulSoup:
    """A document as a page; its title, if it has one, is the only `h1`. Raises UnreadableError.

    Pandoc runs in its sandbox: it reads no other file and fetches nothing.
    """
    options = ["--from", format, "--to", "html", "--standalone", "--mathjax", "--wrap=none", "--sandbox"]
    options += ["--metadata=pagetitle:-", "--no-highlight", "+RTS", "-M1g", "-RTS"]
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
