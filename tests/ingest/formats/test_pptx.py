"""PowerPoint."""

import io
import zipfile
from typing import Any

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from tests.ingest.made_files import pptx, zipped
from tests.ingest.reading import Reading


def test_slides_are_sections_with_their_notes(read: Reading) -> None:
    made = pptx(
        [
            ("The deck", "by Nobody", ""),
            ("A title\vof two lines", "# no heading\n<!-- not a comment -->", "Said aloud."),
            ("", "Untitled words", ""),
            ("Only a title", "", ""),
        ]
    )
    assert [(section.section, section.title, section.text) for section in read("a.pptx", made)] == [
        ("The deck", "The deck", "by Nobody"),
        (
            "A title of two lines",
            "The deck A title of two lines",
            "# no heading\n<!-- not a comment -->\n\nSaid aloud.",
        ),
        ("Slide 3", "The deck Slide 3", "Untitled words"),
    ]


def footer(number: int, kind: str, text: str) -> Any:
    main, slide = (f"http://schemas.openxmlformats.org/{name}/2006/main" for name in ("drawingml", "presentationml"))
    return parse_xml(
        f'<p:sp xmlns:p="{slide}" xmlns:a="{main}"><p:nvSpPr><p:cNvPr id="{number}" name="F"/><p:cNvSpPr/>'
        f'<p:nvPr><p:ph type="{kind}" idx="{number}"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>'
        f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def test_tables_charts_groups_and_diagrams_are_read_from_top_to_bottom_but_no_footers(read: Reading) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_textbox(Inches(1), Inches(6), Inches(2), Inches(1)).text_frame.text = "last"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame.text = "in a group"
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    for number, text in enumerate(("a", "b|c", "1", "2")):
        table.cell(number // 2, number % 2).text = text
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["2023", "2024"]
    data.add_series("Sales", (1.5, None))  # type: ignore[no-untyped-call]
    chart = slide.shapes.add_chart(XL_CHART_TYPE.PIE, Inches(1), Inches(3), Inches(4), Inches(1), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "By year"
    office = "http://schemas.openxmlformats.org"
    texts = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in ("Plan", "Do"))
    blob = f'<d:m xmlns:d="{office}/drawingml/2006/diagram" xmlns:a="{office}/drawingml/2006/main">{texts}</d:m>'
    part = Part(PackURI("/ppt/diagrams/data1.xml"), "application/xml", deck.part.package, blob.encode())
    related = slide.part.relate_to(part, RELATIONSHIP_TYPE.DIAGRAM_DATA)
    uri = f"{office}/drawingml/2006/diagram"
    slide.shapes.element.append(
        parse_xml(
            f'<p:graphicFrame xmlns:p="{office}/presentationml/2006/main" xmlns:a="{office}/drawingml/2006/main">'
            '<p:nvGraphicFramePr><p:cNvPr id="90" name="D"/><p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>'
            f'<p:xfrm><a:off x="1" y="{Inches(5)}"/><a:ext cx="9" cy="9"/></p:xfrm><a:graphic>'
            f'<a:graphicData uri="{uri}"><d:relIds xmlns:d="{uri}" r:dm="{related}" '
            f'xmlns:r="{office}/officeDocument/2006/relationships"/></a:graphicData></a:graphic></p:graphicFrame>'
        )
    )
    for number, (kind, text) in enumerate([("ftr", "ACME"), ("sldNum", "1"), ("dt", "May 4")], start=91):
        slide.shapes.element.append(footer(number, kind, text))
    stream = io.BytesIO()
    deck.save(stream)
    assert read.text("a.pptx", stream.getvalue()) == (
        "in a group\n| a | b\\|c |\n| --- | --- |\n| 1 | 2 |\n"
        "By year\n|  | Sales |\n| --- | --- |\n| 2023 | 1.5 |\n| 2024 |  |\nPlan\nDo\nlast"
    )


def test_a_chart_that_the_library_does_not_know_loses_no_slide(read: Reading) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame.text = "words"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["a"]
    data.add_series("S", (1,))  # type: ignore[no-untyped-call]
    slide.shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, Inches(4), Inches(1), data)
    stream = io.BytesIO()
    deck.save(stream)
    with zipfile.ZipFile(stream) as archive:
        parts = {name: archive.read(name).replace(b"pieChart", b"surfaceChart") for name in archive.namelist()}
    assert read.text("a.pptx", zipped(parts)) == "words"


def test_the_same_table_on_each_slide_stays(read: Reading) -> None:
    deck = Presentation()
    for number in range(5):
        table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(2, 1, 0, 0, Inches(4), Inches(1)).table
        table.cell(0, 0).text, table.cell(1, 0).text = "Total", f"Sum {number}"
    stream = io.BytesIO()
    deck.save(stream)
    assert read("a.pptx", stream.getvalue())[2].text == "| Total |\n| --- |\n| Sum 2 |"


def test_what_stands_on_most_slides_is_dropped(read: Reading) -> None:
    slides = [("", f"Body {'abcde'[number]}\nACME confidential", "") for number in range(5)]
    sections, left_out = read.counted("a.pptx", pptx(slides))
    assert left_out == {"repeated_page_lines": 5}
    assert [section.text for section in sections] == [f"Body {letter}" for letter in "abcde"]
