"""HTML, and what the formats that are read by way of it share: EPUB, reStructuredText, Word and others."""

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields
from stages.ingest.formats.page import HEADINGS, make_plain
from stages.ingest.formats.text import decoded
from stages.ingest.formats.writing import fenced
from stages.ingest.sections import MARK, Section, heading_mark, marked_sections

_NESTED = frozenset(("li", "dd", "blockquote", "td", "th"))


def read(path: Path, source: str, _: Fields) -> Content:
    soup = page(path.read_bytes())
    title = title_of(soup)
    return sections(path, source, title, marked(soup)), {}


def page(data: bytes) -> BeautifulSoup:
    """A page, in the encoding that it declares or another. Raises UnreadableError if it is binary."""
    return parsed(decoded(data, EncodingDetector.find_declared_encoding(data, is_html=True)))


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html.replace(MARK, ""), "lxml")


def title_of(soup: BeautifulSoup) -> str:
    return " ".join(soup.title.get_text().split()) if soup.title else ""


def marked(soup: BeautifulSoup) -> str:
    """Markdown of what a reader of the page sees of it, its headings marked; what is not seen leaves `soup`."""
    try:
        make_plain(soup)
    except RecursionError:  # nested too deeply
        return (soup.body or soup).get_text("\n", strip=True)
    mains = soup.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    root = next((main for main in mains if main.get_text(strip=True)), soup.body or soup)
    try:
        return str(_Marking().convert_soup(root))
    except RecursionError:
        return root.get_text("\n", strip=True)


def sections(path: Path, source: str, title: str, text: str) -> list[Section]:
    """The sections of what `marked` gave; `title` is the document's if its headings give none, and may be blank."""
    return marked_sections(source, repair(path.stem), repair(title), repair(text))


_Converter: Any = MarkdownConverter  # its stub leaves out what it is for subclasses to change


class _Marking(_Converter):  # type: ignore[misc]
    """Markdown whose headings are marked apart: no line of text can pass for one, and nothing needs escaping."""

    class Options:
        wrap = True  # one line a paragraph: sentences end at line breaks too
        wrap_width = None
        table_infer_header = True
        strip = ("a", "b", "strong", "i", "em", "u", "del", "s", "kbd", "samp", "video")  # their words stay

    # Blocks that the library runs together with what is beside them.
    convert_main = convert_header = convert_aside = convert_form = convert_fieldset = _Converter.convert_div
    convert_footer = convert_nav = convert_address = convert_details = convert_summary = _Converter.convert_div
    convert_figure = convert_center = convert_figcaption = convert_caption = _Converter.convert_div

    def escape(self, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_hN(self, n: int, el: Any, text: str, parent_tags: set[str]) -> str:
        words = " ".join(text.split())
        if not words or "_inline" in parent_tags:
            return words
        nested = parent_tags & _NESTED
        return f"\n\n{words if nested else heading_mark(n, words, str(el.get('id') or ''))}\n\n"

    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"

    def convert_code(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return text if parent_tags & HEADINGS else str(super().convert_code(el, text, parent_tags))

    def convert_img(self, el: Any, text: str, parent_tags: set[str]) -> str:
        alt = str(el.get("alt") or "")
        return "" if alt == el.get("src") else alt

    def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))

    convert_th = convert_td

    def convert_pre(self, el: Any, text: str, parent_tags: set[str]) -> str:
        if parent_tags & {"td", "th"}:  # one line: a cell that holds more has made its table blocks
            return f" `{' '.join(text.split())}` " if text.strip() else ""
        return f"\n\n{fenced(text)}\n\n"
