"""Word."""

import copy
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from stages.ingest.formats import Content, Fields, html, ole, pandoc

_DOCUMENT, _STYLES = "word/document.xml", "word/styles.xml"
_DEEPEST = 5  # an outline level counts from 0, and HTML has six headings
_BODY = 9  # the outline level of what is not a heading


def read(path: Path, source: str, _: Fields) -> Content:
    """Word's headings, lists, tables, notes and equations (as LaTeX); no headers, footers, comments or pictures."""
    ole.refuse(path)
    with ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist() if "/media/" not in name}
    _mend(parts)
    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=1) as mended:
        for name, data in parts.items():
            mended.writestr(name, data)
    page = pandoc.page(stream.getvalue(), "docx")
    for items in page.find_all("ol"):  # pandoc begins a list again at each level of Word's
        while (following := items.find_next_sibling()) is not None and following.name == "ol":
            items.extend(following.extract().find_all("li", recursive=False))
    return html.sections(path, source, "", html.marked(page)), {}


def _mend(parts: dict[str, bytes]) -> None:
    """Change a Word file's parts so that pandoc sees what Word shows: headings by level, text boxes, no hidden runs."""
    from lxml import etree  # type: ignore[import-untyped]

    def parsed(name: str) -> Any:
        return etree.fromstring(parts[name], etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))

    document = parsed(_DOCUMENT)
    word = document.nsmap.get("w", "http://schemas.openxmlformats.org/wordprocessingml/2006/main")
    styles = parsed(_STYLES) if _STYLES in parts else etree.Element(f"{{{word}}}styles", nsmap={"w": word})
    for run in document.xpath("//*[local-name()='r'][*[local-name()='rPr']/*[local-name()='vanish']]"):
        if _value(run.find("{*}rPr/{*}vanish"), "1") not in ("0", "false", "off"):
            run.getparent().remove(run)
    _free_text_boxes(document)
    levels = _outline_levels(styles)
    names = {_value(style, key="styleId"): _value(style.find("{*}name")).lower() for style in styles.iter("{*}style")}
    for paragraph in list(document.iter("{*}p")):
        style = _value(paragraph.find("{*}pPr/{*}pStyle"))
        if names.get(style, "").startswith("toc ") and names[style] != "toc heading":
            paragraph.getparent().remove(paragraph)
            continue
        level = int(_value(paragraph.find("{*}pPr/{*}outlineLvl"), str(levels.get(style, _BODY))))
        if level < _BODY and names.get(style) != "title":
            _name_heading(paragraph, styles, word, min(level, _DEEPEST) + 1)
    parts[_DOCUMENT], parts[_STYLES] = etree.tostring(document), etree.tostring(styles)


def _value(element: Any, default: str = "", key: str = "val") -> str:
    """An attribute of an element by its local name: strict files have another namespace."""
    if element is None:
        return default
    return next((str(v) for name, v in element.attrib.items() if name.rpartition("}")[2] == key), default)


def _outline_levels(styles: Any) -> dict[str, int]:
    """The outline level of each style: its own, or that of what it is based on; `heading n` has one by its name."""
    own: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in styles.iter("{*}style"):
        name = _value(style, key="styleId")
        based[name] = _value(style.find("{*}basedOn"))
        level = _value(style.find("{*}pPr/{*}outlineLvl"))
        named = re.fullmatch(r"heading ([1-9])", _value(style.find("{*}name")).lower())
        if level.isdigit() or named:
            own[name] = int(level) if level.isdigit() else int(named[1]) - 1 if named else _BODY

    def lineage(name: str) -> Iterator[str]:
        seen: set[str] = set()
        while name and name not in seen:
            seen.add(name)
            yield name
            name = based.get(name, "")

    return {name: next((own[style] for style in lineage(name) if style in own), _BODY) for name in based}


def _name_heading(paragraph: Any, styles: Any, word: str, level: int) -> None:
    """Give a paragraph the style that every program knows as a heading."""
    style_id = f"ReadAsHeading{level}"
    if not any(_value(style, key="styleId") == style_id for style in styles.iter("{*}style")):
        attributes = {f"{{{word}}}type": "paragraph", f"{{{word}}}styleId": style_id}
        style = styles.makeelement(f"{{{word}}}style", attributes)
        style.append(styles.makeelement(f"{{{word}}}name", {f"{{{word}}}val": f"heading {level}"}))
        styles.append(style)
    properties = paragraph.find("{*}pPr")
    if properties is None:
        properties = paragraph.makeelement(f"{{{word}}}pPr")
        paragraph.insert(0, properties)
    for old in [*properties.findall("{*}pStyle"), *properties.findall("{*}outlineLvl")]:
        properties.remove(old)
    properties.insert(0, paragraph.makeelement(f"{{{word}}}pStyle", {f"{{{word}}}val": style_id}))


def _free_text_boxes(document: Any) -> None:
    """Put the paragraphs of text boxes below the paragraph that they hang on; of two forms of a box, one is enough."""
    alternatives = document.xpath("//*[local-name()='AlternateContent'][.//*[local-name()='txbxContent']]")
    boxes = [*alternatives, *document.xpath("//*[local-name()='pict' or local-name()='drawing']"
                                            "[.//*[local-name()='txbxContent']]")]  # fmt: skip
    for box in boxes:
        content = next(box.iter("{*}txbxContent"), None)
        if content is None or box.getparent() is None:
            continue
        anchor = next((above for above in box.iterancestors("{*}p")), None)
        for paragraph in reversed(content):
            if anchor is not None:
                anchor.addnext(copy.deepcopy(paragraph))
        box.getparent().remove(box)
