"""The formats that pandoc reads, as pages: Word, OpenDocument, RTF, Org, LaTeX, AsciiDoc."""

import subprocess
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup

from stages.ingest.formats import Content, Fields, UnreadableError, html
from stages.ingest.formats.text import text_of

EXTRA = "pip install -e '.[documents]'"
_FORMATS = {".odt": "odt", ".rtf": "rtf", ".org": "org", ".tex": "latex", ".adoc": "asciidoc", ".asciidoc": "asciidoc"}
_TEXTS = ("org", "latex", "asciidoc")  # which pandoc takes in UTF-8 alone
_SECONDS = 120  # a file that takes longer is broken in a way that pandoc does not see


def read(path: Path, source: str, _: Fields) -> Content:
    format = _FORMATS[path.suffix.lower()]
    if format in _TEXTS:
        if not (text := text_of(path)).strip():
            return [], {}
        data = text.encode()
    else:
        data = path.read_bytes()
        if format == "rtf" and not data.lstrip().startswith(b"{\\rtf"):
            raise UnreadableError("broken, or no RTF file")
    soup = page(data, format)
    return html.sections(path, source, "", html.marked(soup)), {}


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
    for part in soup.select("head, nav#TOC"):
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
