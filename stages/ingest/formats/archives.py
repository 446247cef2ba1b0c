"""Office files: archives of XML, and the container of those that are old or encrypted."""

import copy
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from lxml import etree  # type: ignore[import-untyped]

from stages.ingest.formats import UnreadableError

_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # OLE


def refuse_old(path: Path) -> None:
    """Raise UnreadableError for a file that is old or encrypted, which says which of the two it is."""
    with path.open("rb") as file:
        if file.read(len(_OLD)) == _OLD:
            encrypted = "EncryptedPackage".encode("utf-16-le") in file.read()
            raise UnreadableError("encrypted" if encrypted else "an old Office file under a new name: save it again")


def read_parts(path: Path) -> dict[str, bytes]:
    """The files of an archive by name, without pictures."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/media/" not in name}


def packed(parts: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


def parsed(xml: bytes) -> Any:
    """The root of a file, which may be large; nothing is fetched or filled in."""
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def free_text_boxes(document: Any, content: str, boxes: tuple[str, ...]) -> None:
    """Put the paragraphs of text boxes below the paragraph that they hang on; of two forms of a box, one is enough.

    `content` is the local name of the element that holds the paragraphs, `boxes` those of the elements around it.
    """
    for name in boxes:
        for box in document.xpath(f"//*[local-name()='{name}'][.//*[local-name()='{content}']]"):
            anchor: Any = next(box.iterancestors("{*}p"), None)
            paragraphs = next(box.iter(f"{{*}}{content}"), ())
            for paragraph in reversed(paragraphs) if anchor is not None else ():
                anchor.addnext(copy.deepcopy(paragraph))
            box.clear(keep_tail=True)
