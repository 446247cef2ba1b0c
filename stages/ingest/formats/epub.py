"""EPUB: an archive of web pages, and of XML that says in which order they are read."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from bs4 import BeautifulSoup

from stages.ingest.formats import Content, Fields, UnreadableError, html

_ENCRYPTION = "META-INF/encryption.xml"


def read(path: Path, source: str, _: Fields) -> Content:
    """The chapters in reading order, without the table of contents."""
    with ZipFile(path) as book:
        package = _xml(book, "META-INF/container.xml").find("rootfile")["full-path"]
        about = _xml(book, package)
        names = list(_names(about, posixpath.dirname(package)))
        if not _locked(book).isdisjoint(names):
            raise UnreadableError("encrypted")
        named = about.find("title")
        title = " ".join(named.get_text().split()) if named else ""
        chapters = [_chapter(book.read(name), title) for name in names]
    return html.sections(path, source, title, "\n\n".join(chapters)), {}


def _xml(book: ZipFile, name: str) -> Any:
    return BeautifulSoup(book.read(name), "xml")


def _names(package: Any, folder: str) -> Iterator[str]:
    """The chapters' files, which the package names relative to its own folder."""
    items = {item["id"]: item for item in package.find_all("item")}
    for reference in package.find_all("itemref"):
        item = items.get(reference["idref"])
        if item is not None and "nav" not in item.get("properties", "").split():
            yield posixpath.normpath(posixpath.join(folder, unquote(item["href"])))


def _locked(book: ZipFile) -> set[str]:
    if _ENCRYPTION not in book.namelist():
        return set()
    return {unquote(reference["URI"]) for reference in _xml(book, _ENCRYPTION).find_all("CipherReference")}


def _chapter(data: bytes, book: str) -> str:
    """A chapter's text, its headings marked. Without any it goes by its title; `book` is that of the whole."""
    soup = html.page(data)
    title = html.title_of(soup)
    text = html.marked(soup).strip()
    # One that has the book's title is the rest of the last.
    if text and title not in ("", book) and not html.has_headings(text):
        return f"{html.heading(1, title)}\n\n{text}"
    return text
