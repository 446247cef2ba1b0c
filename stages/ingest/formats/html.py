"""HTML, and what the formats that are read by way of it share: EPUB, reStructuredText, Word."""

import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields
from stages.ingest.formats.markdown import fenced
from stages.ingest.formats.text import decoded
from stages.ingest.sections import Part, Section, outlined

_UNSEEN = {"script", "style", "nav", "footer", "noscript", "template", "svg", "button", "select", "iframe"}
_UNSEEN_ROLES = {"navigation", "contentinfo", "search"}
_LINK_SIGNS = {"¶", "#", "§", "🔗", "↑", "↩", "↩︎"}  # links to the heading itself, or back from a footnote
_MARK = "\ufdd0"  # Unicode keeps it out of texts
_MARKED = re.compile(rf"^{_MARK}(\d) (.*)$", re.MULTILINE)
_ASTRAY = re.compile(rf"{_MARK}\d ")  # of a heading that the converter put inside a line
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_NESTED = frozenset(("li", "dd", "blockquote", "td", "th"))


def read(path: Path, source: str, _: Fields) -> Content:
    soup = page(path.read_bytes())
    title = title_of(soup)
    return sections(path, source, title, marked(soup)), {}


def page(data: bytes) -> BeautifulSoup:
    """A page, in the encoding that it declares or another. Raises UnreadableError where it is binary."""
    return parsed(decoded(data, EncodingDetector.find_declared_encoding(data, is_html=True)))


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html.replace(_MARK, ""), "lxml")


def title_of(soup: BeautifulSoup) -> str:
    return " ".join(soup.title.get_text().split()) if soup.title else ""


def marked(soup: BeautifulSoup) -> str:
    """Markdown of what a reader of the page sees of it, its headings marked; what is not seen leaves `soup`."""
    for tag in reversed([tag for tag in soup.find_all(True) if _is_unseen(tag)]):  # the inner ones first
        tag.decompose()
    mains = soup.find_all(lambda tag: tag.name == "main" or tag.get("role") == "main")
    root = next((main for main in mains if main.get_text(strip=True)), soup.body or soup)
    try:
        return str(_Marking().convert_soup(root))
    except RecursionError:  # nested too deeply
        return root.get_text("\n", strip=True)


def heading(level: int, words: str) -> str:
    """A heading as `marked` writes it."""
    return f"{_MARK}{level} {words}"


def has_headings(text: str) -> bool:
    return _MARKED.search(text) is not None


def sections(path: Path, source: str, title: str, text: str) -> list[Section]:
    """The sections of what `marked` gave; `title` is the document's where its headings give none, and may be blank."""
    opening, *rest = _MARKED.split(repair(text))
    opening = _ASTRAY.sub("", opening)
    parts = [
        Part(int(level), " ".join(words.split()), _ASTRAY.sub("", below))
        for level, words, below in zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    ]
    name = repair(path.stem)
    return outlined(source, name, " ".join(repair(title).split()) or name, opening, parts)


def _is_unseen(tag: Tag) -> bool:
    if tag.name == "a":
        return tag.get_text(strip=True) in _LINK_SIGNS
    return tag.name in _UNSEEN or tag.get("role") in _UNSEEN_ROLES or "linenos" in (tag.get("class") or ())


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
    convert_address = convert_details = convert_summary = convert_figure = _Converter.convert_div
    convert_center = convert_figcaption = convert_caption = _Converter.convert_div

    def escape(self, text: str, parent_tags: set[str]) -> str:
        return text

    def convert_hN(self, n: int, el: Any, text: str, parent_tags: set[str]) -> str:
        words = " ".join(text.split())
        if not words or "_inline" in parent_tags:
            return words
        return f"\n\n{words if parent_tags & _NESTED else heading(n, words)}\n\n"

    def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return " " if "_inline" in parent_tags else "\n"

    def convert_code(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return text if parent_tags & _HEADINGS else str(super().convert_code(el, text, parent_tags))

    def convert_img(self, el: Any, text: str, parent_tags: set[str]) -> str:
        alt = str(el.get("alt") or "")
        return "" if alt == el.get("src") else alt

    def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))

    convert_th = convert_td

    def convert_pre(self, el: Any, text: str, parent_tags: set[str]) -> str:
        return f"\n\n{fenced(text)}\n\n"
