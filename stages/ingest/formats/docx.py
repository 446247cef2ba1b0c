"""Word."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from stages.ingest.formats import Content, Fields, archives, html, pandoc

_DOCUMENT, _STYLES = "word/document.xml", "word/styles.xml"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LEVELS = range(6)  # an outline level counts from 0, and HTML has six headings
_BODY = 9  # the outline level of what is not a heading
_STYLE = '<w:style xmlns:w="{0}" w:type="paragraph" w:styleId="{1}"><w:name w:val="heading {2}"/></w:style>'
_BOXES = ("AlternateContent", "pict", "drawing")


def read(path: Path, source: str, _: Fields) -> Content:
    """Word's headings, lists, tables, notes and equations (as LaTeX); no headers, footers, comments or pictures."""
    archives.refuse_old(path)
    parts = archives.read_parts(path)
    _mend(parts)
    page = pandoc.page(archives.packed(parts), "docx")
    for items in page.find_all("ol"):  # pandoc begins a list again at each level of Word's
        while (following := items.find_next_sibling()) is not None and following.name == "ol":
            items.extend(following.extract().find_all("li", recursive=False))
    return html.sections(path, source, "", html.marked(page)), {}


def _mend(parts: dict[str, bytes]) -> None:
    """Change a Word file's parts so that pandoc sees what Word shows: headings by level, text boxes, no hidden runs."""
    document = archives.parsed(parts[_DOCUMENT])
    word = document.nsmap.get("w", _WORD)
    style_sheet = archives.parsed(parts.get(_STYLES) or f'<w:styles xmlns:w="{word}"/>'.encode())
    for run in document.xpath("//*[local-name()='r'][*[local-name()='rPr']/*[local-name()='vanish']]"):
        if _value(run.find("{*}rPr/{*}vanish"), "1") not in ("0", "false", "off"):
            run.getparent().remove(run)
    archives.free_text_boxes(document, "txbxContent", _BOXES)
    styles = {_value(style, key="styleId"): style for style in style_sheet.iter("{*}style")}
    for paragraph in list(document.iter("{*}p")):
        style = _value(paragraph.find("{*}pPr/{*}pStyle"))
        name = _name(styles.get(style))
        if name.startswith("toc ") and name != "toc heading":
            paragraph.getparent().remove(paragraph)
            continue
        level = int(_value(paragraph.find("{*}pPr/{*}outlineLvl")) or _outline_level(style, styles))
        if level < _BODY and name != "title":
            _make_heading(paragraph, min(level, _LEVELS[-1]), word)
    style_sheet.extend(archives.parsed(_STYLE.format(word, _style_id(n), n + 1).encode()) for n in _LEVELS)
    parts[_DOCUMENT], parts[_STYLES] = etree.tostring(document), etree.tostring(style_sheet)


def _value(element: Any, default: str = "", key: str = "val") -> str:
    """An attribute of an element by its local name: strict files have another namespace."""
    if element is None:
        return default
    return next((str(v) for name, v in element.attrib.items() if name.rpartition("}")[2] == key), default)


def _name(style: Any) -> str:
    return "" if style is None else _value(style.find("{*}name")).lower()


def _outline_level(style_id: str, styles: Mapping[str, Any], below: frozenset[str] = frozenset()) -> int:
    """The outline level of a style: its own, or its name's (`heading n`), or that of the style that it is based on."""
    if style_id in below or style_id not in styles:
        return _BODY
    style = styles[style_id]
    if (own := _value(style.find("{*}pPr/{*}outlineLvl"))).isdigit():
        return int(own)
    if named := re.fullmatch(r"heading ([1-9])", _name(style)):
        return int(named[1]) - 1
    return _outline_level(_value(style.find("{*}basedOn")), styles, below | {style_id})


def _style_id(level: int) -> str:
    return f"ReadAsHeading{level + 1}"


def _make_heading(paragraph: Any, level: int, word: str) -> None:
    """Give a paragraph the style that every program knows as a heading."""
    properties = paragraph.find("{*}pPr")
    if properties is None:
        properties = paragraph.makeelement(f"{{{word}}}pPr")
        paragraph.insert(0, properties)
    for old in [*properties.findall("{*}pStyle"), *properties.findall("{*}outlineLvl")]:
        properties.remove(old)
    properties.insert(0, paragraph.makeelement(f"{{{word}}}pStyle", {f"{{{word}}}val": _style_id(level)}))
