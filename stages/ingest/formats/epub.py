"""EPUB: an archive of web pages, and of XML that says in which order they are read."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from bs4 import BeautifulSoup

from stages.ingest.formats import Content, Fields, UnreadableError, html
from stages.ingest.sections import has_headings, heading_mark

_ENCRYPTION = "META-INF/encryption.xml"
_TITLE_CLASS = re.compile(r"(?:chapter|section)[-_]?(?:title|head(?:ing)?)|title|heading", re.IGNORECASE)


def read(path: Path, source: str, _: Fields) -> Content:
    """The chapters in reading order, without tables of contents; one that is missing or broken is counted by name."""
    lost: dict[str, int] = {}
    with ZipFile(path) as book:
        package = _xml(book, "META-INF/container.xml").find("rootfile")["full-path"]
        about = _xml(book, package)
        names = list(_names(about, posixpath.dirname(package)))
        if not _locked(book).isdisjoint(names):
            raise UnreadableError("encrypted")
        named = about.find("title")
        title = " ".join(named.get_text().split()) if named else ""
        chapters = []
        for name in names:
            try:
                chapters.append(_chapter(_member(book, name), title, names))
            except (KeyError, BadZipFile, UnreadableError):
                lost[f"missing chapter {name}"] = 1
    if names and len(lost) == len(names):
        raise UnreadableError("none of its chapters is in it")
    return html.sections(path, source, title, "\n\n".join(filter(None, chapters))), lost


def _member(book: ZipFile, name: str) -> bytes:
    """A file of the archive, whose names some programs write with backslashes, or in other case."""
    wanted = name.casefold()
    there = {other.filename.replace("\\", "/").casefold(): other for other in book.infolist()}
    return book.read(there[wanted])


def _xml(book: ZipFile, name: str) -> Any:
    return BeautifulSoup(_member(book, name.replace("\\", "/")), "xml")


def _names(package: Any, folder: str) -> Iterator[str]:
    """The chapters' files, which the package names relative to its own folder."""
    items = {item["id"]: item for item in package.find_all("item")}
    for reference in package.find_all("itemref"):
        item = items.get(reference["idref"])
        if item is not None and "nav" not in item.get("properties", "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(item["href"]).replace("\\", "/")))


def _locked(book: ZipFile) -> set[str]:
    if _ENCRYPTION not in book.namelist():
        return set()
    return {unquote(reference["URI"]) for reference in _xml(book, _ENCRYPTION).find_all("CipherReference")}


def _chapter(data: bytes, book: str, names: list[str]) -> str:
    """A chapter's text, its headings marked. Without any it goes by its title; `book` is that of the whole."""
    soup = html.page(data)
    if _is_contents(soup, names):
        return ""
    title = html.title_of(soup)
    if title in ("", book) and not soup.find(["h1", "h2", "h3", "h4", "h5", "h6"]):
        first = soup.find("p")  # a heading by its style alone
        if first is not None and any(_TITLE_CLASS.fullmatch(name) for name in first.get("class") or ()):
            first.name = "h2"
    text = html.marked(soup).strip()
    # One that has the book's title is the rest of the last.
    if text and title not in ("", book) and not has_headings(text):
        return f"{heading_mark(1, title)}\n\n{text}"
    return text


def _is_contents(soup: BeautifulSoup, names: list[str]) -> bool:
    """Tell if a page is a table of contents: nearly all of its words are links to chapters."""
    files = {posixpath.basename(name) for name in names}
    links = [
        link.get_text(strip=True)
        for link in soup.find_all("a", href=True)
        if posixpath.basename(unquote(str(link["href"])).partition("#")[0]) in files
    ]
    body, heading = soup.body, soup.find(["h1", "h2", "h3"])
    words, title = (len(tag.get_text(strip=True)) if tag else 0 for tag in (body, heading))
    return len(links) > 1 and sum(map(len, links)) >= 0.8 * (words - title)
