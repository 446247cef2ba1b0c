"""PowerPoint."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, archives
from stages.ingest.formats.repeated_lines import strip_repeated_lines
from stages.ingest.formats.writing import cell, table
from stages.ingest.sections import Part, outlined

_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def read(path: Path, source: str, _: Fields) -> Content:
    """A section a slide: its title, its texts from top to bottom, its notes."""
    from pptx.package import Package

    archives.refuse_old(path)
    # The library's own function refuses shows (.ppsx), which are the same except for a name.
    slides = list(Package.open(str(path)).main_document_part.presentation.slides)
    for slide in slides:
        _mend(slide.element)
    texts = ("\n".join(_texts(slide.shapes, slide.shapes.title)) for slide in slides)
    bodies, left_out = strip_repeated_lines([repair(text).split("\n") for text in texts])
    parts = [_part(number, slide, body) for number, (slide, body) in enumerate(zip(slides, bodies, strict=True), 1)]
    name = repair(path.stem)
    return outlined(source, name, name, "", parts), left_out


def _mend(slide: Any) -> None:
    """Of shapes in two forms take the newer one, which the library leaves out, and write equations as text."""
    for two in slide.xpath("//*[local-name()='AlternateContent']"):
        choice = next((c for c in two if c.xpath(".//*[local-name()='t']")), None)
        parent = two.getparent()
        for element in [] if choice is None else list(choice):
            parent.insert(parent.index(two), element)
        if choice is not None:
            parent.remove(two)
    for equation in slide.xpath("//*[local-name()='m' and namespace-uri()!='' and .//*[local-name()='oMath']]"):
        paragraph = equation.getparent()
        run = paragraph.makeelement(f"{{{_DRAWING}}}r")
        text = run.makeelement(f"{{{_DRAWING}}}t")
        before = "".join(equation.getprevious().itertext()) if equation.getprevious() is not None else ""
        text.text = " " * bool(before.strip() and not before[-1].isspace()) + _formula(equation)
        run.append(text)
        paragraph.replace(equation, run)


def _formula(element: Any) -> str:
    """Office's markup of an equation in one line: powers as ^, fractions as /."""
    kind = element.tag.rpartition("}")[2]
    if kind == "t":
        return element.text or ""
    parts = [_formula(child) for child in element if isinstance(child.tag, str) and not child.tag.endswith("Pr")]
    if kind in ("sSup", "sSub") and len(parts) == 2:
        return f"{parts[0]}{'^' if kind == 'sSup' else '_'}{parts[1]}"
    if kind == "f" and len(parts) == 2:
        return f"({parts[0]})/({parts[1]})"
    return "".join(parts)


def _part(number: int, slide: Any, body: Sequence[str]) -> Part:
    shape = slide.shapes.title
    title = " ".join(repair(shape.text_frame.text).split()) if shape is not None else ""
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    notes = repair(frame.text) if frame is not None else ""
    # The first slide's title is the presentation's.
    return Part(1 if number == 1 and title else 2, title or f"Slide {number}", "\n".join([*body, "", notes]))


def _texts(shapes: Iterable[Any], title: Any) -> Iterator[str]:
    """The texts of shapes from top to bottom, except the title and what is on each slide."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if title is not None and shape.element is title.element:
            continue
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes, title)
        elif shape.has_text_frame:
            kind = shape.placeholder_format.type if shape.is_placeholder else None
            if kind not in (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER):
                yield shape.text_frame.text
        elif shape.has_table:
            yield table([[cell.text for cell in row.cells] for row in shape.table.rows])
        else:
            with contextlib.suppress(Exception):  # a kind of chart that the library does not know
                yield from [_chart(shape.chart)] if shape.has_chart else _diagram(shape)


def _chart(chart: Any) -> str:
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    columns = [["", *(str(label) for label in chart.plots[0].categories)]]
    columns += [[series.name, *map(cell, series.values)] for series in chart.series]
    rows = list(itertools.zip_longest(*columns, fillvalue=""))
    return f"{title}\n{table(rows)}"


def _diagram(shape: Any) -> Iterator[str]:
    """The texts of SmartArt, which lie in a part of their own."""
    office = "http://schemas.openxmlformats.org"
    for ids in shape.element.iter(f"{{{office}/drawingml/2006/diagram}}relIds"):
        data = shape.part.related_part(ids.get(f"{{{office}/officeDocument/2006/relationships}}dm")).blob
        for paragraph in BeautifulSoup(data, "xml").find_all("p"):
            yield "".join(run.get_text() for run in paragraph.find_all("t"))
