"""Every format: its text is found again, its headings and titles are right, and a broken file is told from it."""

import io
import json
import socket
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml
from pptx.util import Inches

from stages.ingest import readers
from stages.ingest.readers import UnreadableError
from stages.ingest.records import Fields
from stages.ingest.sections import Section
from tests.ingest import made_files
from tests.ingest.made_files import HEADINGS, SENTENCES, TITLE, as_printed, docx, epub, notebook, pdf, pptx, word

GOOD = made_files.good()
RECORDS = (".json", ".jsonl", ".parquet", ".arrow")
FLAT = (".txt", ".csv", ".tsv")  # one section


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("a reader reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield


class Reading:
    """Writes a file and reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def counted(self, name: str, data: bytes | str) -> tuple[list[Section], dict[str, int]]:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return readers.read(path, f"b/{name}", Fields("id", "title", "text"))

    def __call__(self, name: str, data: bytes | str) -> list[Section]:
        sections, left_out = self.counted(name, data)
        assert left_out == {}
        return sections

    def texts(self, name: str, data: bytes | str) -> list[tuple[str, str]]:
        """Title and text of each section."""
        return [(section.title, section.text) for section in self(name, data)]

    def text(self, name: str, data: bytes | str) -> str:
        """The text of a file of one section."""
        (section,) = self(name, data)
        return section.text

    def reason(self, name: str, data: bytes | str) -> str:
        with pytest.raises(UnreadableError) as raised:
            self.counted(name, data)
        return str(raised.value)


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


# All formats


def test_there_is_a_good_and_a_broken_file_of_every_format() -> None:
    assert set(GOOD) == set(made_files.broken()) == set(readers.SUFFIXES)


@pytest.mark.parametrize("suffix", GOOD)
def test_the_text_of_a_good_file_is_found_again(read: Reading, suffix: str) -> None:
    sections = read(f"good{suffix}", GOOD[suffix])
    there = [code for code in SENTENCES if suffix != ".xls" or code in ("en", "de")]
    assert all(section.source == f"b/good{suffix}" for section in sections)
    if suffix in FLAT or suffix == ".xls":
        (section,) = sections
        assert [code for code in SENTENCES if SENTENCES[code] in section.text] == there
    elif suffix == ".pdf":
        wanted = [(f"Page {n}", TITLE, f"{HEADINGS[code]}\n{SENTENCES[code]}") for n, code in enumerate(there, start=1)]
        assert [(section.section, section.title, section.text) for section in sections] == wanted
    elif suffix in RECORDS:
        assert [(section.slug, section.document, section.text) for section in sections] == [
            (code, HEADINGS[code], SENTENCES[code]) for code in there
        ]
    else:
        title = "good" if suffix == ".xlsx" else TITLE
        sentence = "| text |\n| --- |\n| {} |" if suffix == ".xlsx" else "{}"
        assert [(section.section, section.title, section.text) for section in sections] == [
            (HEADINGS[code], f"{title} {HEADINGS[code]}", sentence.format(SENTENCES[code])) for code in there
        ]


@pytest.mark.parametrize(("suffix", "data"), made_files.broken().items())
def test_a_broken_file_is_unreadable_for_a_short_reason_without_its_text(
    read: Reading, suffix: str, data: bytes
) -> None:
    reason = read.reason(f"broken{suffix}", data)
    assert 0 < len(reason) < 80
    assert not any(sentence[:8] in reason for sentence in (*SENTENCES.values(), "before", "after"))


GARBAGE = bytes(range(255, 0, -1)) * 20


@pytest.mark.parametrize("suffix", GOOD)
def test_garbage_under_the_suffix_is_unreadable(read: Reading, suffix: str) -> None:
    assert 0 < len(read.reason(f"garbage{suffix}", GARBAGE)) < 80


BINARY = (".pdf", ".docx", ".pptx", ".xlsx", ".xls", ".epub", ".parquet", ".arrow")


@pytest.mark.parametrize("suffix", GOOD)
def test_an_empty_file_has_no_text_or_is_none_of_its_kind(read: Reading, suffix: str) -> None:
    if suffix in BINARY:
        assert read.reason(f"empty{suffix}", b"") == "empty file"
    else:
        assert read(f"empty{suffix}", b"") == read(f"blank{suffix}", b" \n\n") == []


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx", ".epub"])
def test_a_zip_archive_of_something_else_is_unreadable(read: Reading, suffix: str) -> None:
    assert read.reason(f"a{suffix}", made_files.zipped({"a.txt": "secret"})).startswith("broken, or no ")


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".xlsx"])
def test_an_office_file_under_a_password_is_encrypted(read: Reading, suffix: str) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    assert read.reason(f"a{suffix}", ole + "EncryptedPackage".encode("utf-16-le") + bytes(100)) == "encrypted"
    assert "old Office file" in read.reason(f"a{suffix}", ole)


def test_suffixes_are_known_in_any_case_and_others_are_not(read: Reading) -> None:
    assert read.text("A.TXT", "text") == "text"
    assert read.reason("a.exe", "text") == "no reader for `.exe`"


def test_a_file_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"^No such file or directory$"):
        readers.read(tmp_path / "gone.md", "gone.md", Fields("id", "title", "text"))


def test_names_in_pieces_are_mended_in_titles_but_not_in_sources(read: Reading) -> None:
    (section,) = read("u\u0308ber.md", "text")  # as macOS has them
    assert (section.source, section.title, section.slug) == ("b/u\u0308ber.md", "über", "über")


def test_the_version_names_the_libraries_and_the_modules(read: Reading) -> None:
    assert "markdown-it-py=" in readers.VERSION
    assert "pypdfium2=" in readers.VERSION


# Text and Markdown


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Straße, 契約"),
        ("utf-8-sig", "Straße, 契約"),
        ("utf-16", "Straße, 契約"),
        ("cp1252", "Die Kündigung muß schriftlich erfolgen – auch über unsere Hotline."),
        ("cp1252", "Name;Straße\nMüller;Königsallee 3\n"),
        ("cp1252", "Résumé à vérifier, café déjà fermé."),
        ("cp1252", "Tuotteen käyttöönotto on helppoa, mutta äiti sanoi että pöytä on märkä."),
        ("cp1250", "Žluťoučký kůň úpěl ďábelské ódy. Smlouvu lze kdykoli vypovědět."),
        ("cp1254", "Sözleşme her zaman feshedilebilir. Şifremi nasıl sıfırlarım?"),
        ("cp1251", "Договор может быть расторгнут в любое время по соглашению сторон."),
        ("cp1256", "يمكن إنهاء العقد في أي وقت. يجب إرسال الإشعار كتابيا."),
        ("cp932", "契約はいつでも終了できます。東京都庁でこのテストを行います。"),
        ("gb18030", "合同可以随时终止。中国人工智能发展迅速，许多公司都在投入研究。"),
    ],
)
def test_text_may_be_in_the_encodings_of_its_country(read: Reading, encoding: str, text: str) -> None:
    assert read.text("a.txt", text.encode(encoding)) == text.strip()


def test_a_wrong_byte_does_not_make_it_another_encoding(read: Reading) -> None:
    german = SENTENCES["de"] * 9
    assert read.text("a.txt", german.encode() + b"\xff" + german.encode()) == f"{german}\ufffd{german}"


def test_markdown_is_mended_before_it_is_cut(read: Reading) -> None:
    (section,) = read("a.md", "# Pru\u0308\u00adfung\r\n\r\nﬁne\u00a0text\r\n")
    assert (section.section, section.slug, section.text) == ("Prüfung", "prüfung", "fine text")


def test_pictures_inside_markdown_are_dropped_but_not_what_is_said_of_them(read: Reading) -> None:
    data = "base64," + "iVBORw0KGgo" * 20
    text = f'![cat](data:image/png;{data}) <img src="data:image/svg+xml;{data}=="> and\n\n[i]: <data:image/png;{data}>'
    assert read.text("a.md", text) == '![cat]() <img src=""> and\n\n[i]: <>'
    assert read.text("a.md", "say data:image/png;base64,AAAA") == "say data:image/png;base64,AAAA"


# HTML


PAGE = """<!doctype html>
<html><head><title>Page &mdash; Site</title><style>p {color: red}</style></head>
<body><header><div>Logo</div></header><nav><a href="/">Menu</a></nav>
<div role="navigation">Bread / crumbs</div>
<h2>Use <code>__init__</code> of List&lt;T&gt;<a class="headerlink" href="#u">¶</a></h2>
<p># no heading,
one line of snake_case, a*b*c, 2 < 3</p>
<p>```</p><p>&lt;script&gt; is a tag</p>
<pre><code>x = "```"
  # y</code></pre>
<p>See <a href="https://example.org/z">the words</a>, <b>bold</b> ones.<br>Next line.</p>
<img src="data:image/png;base64,AAAA" alt="a cat">
<blockquote><h3>Quoted</h3>said</blockquote><ul><li><h4>Card</h4>text</li></ul>
<table><tr><td>a|b</td><td>c<br>d</td></tr><tr><td colspan="2">wide</td></tr></table>
<!-- a comment --><script>bad()</script><noscript>Turn it on</noscript>
<svg><text>drawn</text></svg><template>later</template><button>Copy</button>
<h2>Second<a href="#s">#</a></h2><div>x&shy;y&nbsp;z</div><div>next</div>
<footer>Imprint</footer></body></html>"""


def test_a_page_is_read_as_it_is_seen(read: Reading) -> None:
    assert [(section.section, section.text) for section in read("a.html", PAGE)] == [
        ("Page — Site", "Logo"),
        (
            "Use __init__ of List<T>",
            "# no heading, one line of snake_case, a*b*c, 2 < 3\n\n```\n\n<script> is a tag\n\n"
            '````\nx = "```"\n  # y\n````\n\nSee the words, bold ones.\nNext line.\n\na cat\n'
            "> Quoted\n>\n> said\n\n* Card\n\n  text\n\n| a\\|b | c d |\n| --- | --- |\n| wide | |",
        ),
        ("Second", "xy z\n\nnext"),
    ]


def test_a_pages_title_is_its_one_main_heading_else_its_title_else_its_files_name(read: Reading) -> None:
    page = "<title>T</title><h{0}>A</h{0}><p>a"
    assert read.texts("n.html", page.format(1)) == [("A", "a")]
    assert read.texts("n.html", page.format(2)) == [("T A", "a")]
    assert read.texts("n.html", page.format(2)[len("<title>T</title>") :]) == [("n A", "a")]


def test_where_a_page_marks_its_main_part_that_is_its_text(read: Reading) -> None:
    page = '<body><div>Site</div><{}><h1>A</h1><p>b</p></{}><div class="side">ads</div></body>'
    assert read.texts("a.html", page.format("main", "main")) == [("A", "b")]
    assert read.texts("a.html", page.format('div role="main"', "div")) == [("A", "b")]
    assert read.texts("a.html", "<main></main><p>b") == [("a", "b")]  # it is filled in later


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("iso-8859-1", "cp1252", "“Größe” – Straße"),
        ("Shift_JIS", "cp932", "契約①"),
        ("gb2312", "gb18030", "朱镕基"),
        ("iso-8859-1", "utf-8", "契約"),  # declared wrongly
        ("no-such", "cp1252", "Die Kündigung muß schriftlich erfolgen."),
    ],
)
def test_a_page_may_declare_its_encoding(read: Reading, declared: str, encoding: str, text: str) -> None:
    page = f'<html><head><meta charset="{declared}"></head><body><p>{text}</p>'
    assert read.text("a.html", page.encode(encoding)) == text


def test_a_page_may_be_badly_nested_or_too_deeply(read: Reading) -> None:
    assert read.texts("a.html", "<h1>T</h1><p>one<p>two<ul><li>a<li>b</ul><h2>E</h2>end") == [
        ("T", "one\n\ntwo\n\n* a\n* b"),
        ("T E", "end"),
    ]
    assert "deep words" in read.text("a.html", "<div>" * 5000 + "deep words")


# reStructuredText


RST = """
:orphan:

=====
Guide
=====

.. toctree::
   :maxdepth: 2

   intro

Call :func:`~pkg.run`, see :ref:`the words <label>`, :custom:`my stuff`, |version| and `a link <https://x.y>`_.

.. note::
   :collapsible:

   Careful here.

.. rubric-of-ours:: Some argument
   :option: value

   Inner *content*.

.. py:function:: run(path) -> None
   :async:

   Runs it.

.. code-block:: python
   :caption: Caption

   def f():
       # no heading

.. include:: secret.txt

.. raw:: html

   <b>raw</b>

.. only:: html

   Inside
   ------

   Inside it.

.. a comment

Part
----

====  ===
A  table of bad words
====  ===

.. deprecated:: 3.2

.. autoclass:: pkg.Thing
   :members:
"""


def test_restructured_text_keeps_the_text_of_what_is_not_known(read: Reading, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("of another file")
    assert [(section.title, section.text) for section in read("a.rst", RST)] == [
        (
            "Guide",
            "Call pkg.run, see the words, my stuff, |version| and a link.\n\n"
            "```\n.. note::\n   :collapsible:\n\n   Careful here.\n```\n\n"
            "Some argument\n\nInner content.\n\nrun(path) -> None\n\nRuns it.\n\n"
            "```\ndef f():\n    # no heading\n```",
        ),
        ("Guide Inside", "Inside it."),
        ("Guide Part", "```\n====  ===\nA  table of bad words\n====  ===\n```\n\nDeprecated since 3.2\n\npkg.Thing"),
    ]


def test_what_one_file_taught_changes_no_other(read: Reading) -> None:
    plain = "Title\n=====\n\n.. note:: Known.\n\nSome *text*.\n"
    before = read("a.rst", plain)
    read("b.rst", RST)
    assert read("a.rst", plain) == before
    assert [text for _, text in read.texts("a.rst", plain)] == ["Note\n\nKnown.\n\nSome text."]


# PDF


def lines_of_a_page(number: int) -> list[str]:
    return ["ACME Handbook", f"Chapter {number}", f"What only page {'abcde'[number - 1]} says.", f"Page {number} of 5"]


def test_lines_that_repeat_at_the_edges_of_pages_are_dropped_and_counted(read: Reading) -> None:
    pages = [lines_of_a_page(number) for number in range(1, 6)]
    pages[2][1] = "A chapter of another kind"
    sections, left_out = read.counted("a.pdf", pdf(pages))
    # Chapter 1, 2, 4 and 5: on four pages of five, digits aside.
    assert left_out == {"repeated_page_lines": 5 + 4 + 5}
    assert [section.text for section in sections] == [
        "What only page a says.",
        "What only page b says.",
        "A chapter of another kind\nWhat only page c says.",
        "What only page d says.",
        "What only page e says.",
    ]


def test_few_pages_and_rows_of_figures_are_left_as_they_are(read: Reading) -> None:
    assert "ACME Handbook" in read("a.pdf", pdf([lines_of_a_page(number) for number in range(1, 4)]))[0].text
    table = [[f"{n} 2.5 {n}7", f"{n} 3.5 {n}8", f"{n} 4.5 {n}9", f"- {n} -"] for n in range(1, 6)]
    sections, left_out = read.counted("a.pdf", pdf(table))
    assert left_out == {"repeated_page_lines": 5}  # the pages' numbers
    assert sections[1].text == "2 2.5 27\n2 3.5 28\n2 4.5 29"


def test_lines_are_joined_to_paragraphs_and_hyphenated_words_to_words(read: Reading) -> None:
    page = [
        "1. Introduction",
        "This line is as long as the lines of the page are, as is the exam-",
        "ple of the next one, which then ends with its paragraph, on Nord-",
        "Süd, in a shorter line.",
        "Another paragraph begins with a capital, and goes on until here we",
        "stop: these are its points, which are no part of the paragraph at:",
        "• one point, which is nearly as long as the lines of the page are,",
        "• another",
        "int main",
        "Return",
    ]
    assert read.text("a.pdf", pdf([page])) == (
        "1. Introduction\n"
        "This line is as long as the lines of the page are, as is the example of the next one, which then ends with "
        "its paragraph, on Nord-Süd, in a shorter line.\n"
        "Another paragraph begins with a capital, and goes on until here we stop: these are its points, which are no "
        "part of the paragraph at:\n"
        "• one point, which is nearly as long as the lines of the page are,\n• another\nint main\nReturn"
    )


def test_chinese_lines_are_joined_without_a_blank_and_arabic_ones_read_from_the_right(read: Reading) -> None:
    chinese = ("中国人工智能发展迅速，许多公司都在投入研", "究并且取得了很好的成果。合同可以随时终止", "结束。")
    assert read.text("a.pdf", pdf([chinese])) == "".join(chinese)
    arabic = ("يمكن إنهاء العقد في أي وقت ويجب إرسال", "الإشعار كتابيا إلى الطرف الآخر")
    assert read.text("a.pdf", pdf([[as_printed(line) for line in arabic]])) == " ".join(arabic)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Annual Report 2024", "Annual Report 2024"),
        ("契約の終了", "契約の終了"),
        ("", "a"),
        ("Microsoft Word - Report.docx", "a"),
        ("report_final.indd", "a"),
        ("untitled", "a"),
        ("PowerPoint Presentation", "a"),
        ("A guide to Node.js", "A guide to Node.js"),
        ("---", "a"),
    ],
)
def test_a_pdfs_title_is_in_its_metadata_where_that_makes_sense(read: Reading, title: str, shown: str) -> None:
    (section,) = read("a.pdf", pdf([["text"]], title))
    assert (section.section, section.slug, section.title) == ("Page 1", "page-1", shown)


def test_a_pdf_under_a_password_is_encrypted(read: Reading) -> None:
    assert read.reason("a.pdf", pdf([["secret"]], locked=True)) == "encrypted"


def test_a_scan_has_no_text_and_single_pages_without_are_counted(read: Reading) -> None:
    assert read.reason("a.pdf", pdf([[], [" "]])) == "no text in it: a scan needs OCR first"
    sections, left_out = read.counted("a.pdf", pdf([["text"], [], ["more"]]))
    assert [section.section for section in sections] == ["Page 1", "Page 3"]
    assert left_out == {"pages_without_text": 1}


# Word


def test_words_headings_tables_notes_and_equations_are_read(read: Reading) -> None:
    cell = "<w:tc>{}</w:tc>"
    rows = "".join(
        f"<w:tr>{cell.format(word(a))}{cell.format(word(b))}</w:tr>" for a, b in [("Key", "Value"), ("a", "1")]
    )
    note = '<w:p><w:r><w:t>See</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    equation = "<w:p><m:oMath><m:r><m:t>E=m</m:t></m:r></m:oMath></w:p>"
    body = (
        word("Contents", "toc1")
        + word("Part 1", "heading1")
        + word("# no heading, snake_case <b>")
        + f"<w:tbl>{rows}</w:tbl>"
        + word("Deep", "heading7")
        + note
        + equation
    )
    made = docx(body, f'<w:footnote w:id="2">{word("The note.")}</w:footnote>')
    assert read.texts("a.docx", made) == [
        ("Part 1", "# no heading, snake_case <b>\n\n| Key | Value |\n| --- | --- |\n| a | 1 |"),
        ("Part 1 Deep", "See[1]\n\n$E=m$\n\n1. The note."),
    ]


def test_the_title_of_a_word_file_stands_above_its_headings(read: Reading) -> None:
    body = (
        word("The Title", "Title")
        + word("before")
        + word("One", "heading1")
        + word("a")
        + word("Two", "heading1")
        + word("b")
    )
    assert [(section.section, section.title, section.text) for section in read("a.docx", docx(body))] == [
        ("The Title", "The Title", "before"),
        ("One", "The Title One", "a"),
        ("Two", "The Title Two", "b"),
    ]


# PowerPoint


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
    assert read.text("a.pptx", made_files.zipped(parts)) == "words"


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


# Tables


def test_sheets_are_tables_without_what_is_blank(read: Reading) -> None:
    made = made_files.xlsx(
        {
            "Länder": [
                ["Region", None, "Since", "Share"],
                [None, None, None, None],
                ["NA", None, datetime(2024, 5, 1), 0.1 + 0.2],
                ["None", None, datetime(2024, 5, 1, 8, 30), 3],
                ["a|b\nc", None, None, True],
            ],
            "Empty": [],
        }
    )
    assert read.texts("Book.xlsx", made) == [
        (
            "Book Länder",
            "| Region | Since | Share |\n| --- | --- | --- |\n| NA | 2024-05-01 | 0.3 |\n"
            "| None | 2024-05-01 08:30:00 | 3 |\n| a\\|b c |  | True |",
        )
    ]


def test_a_sheet_that_is_formatted_to_its_end_is_read_as_far_as_it_is_filled(read: Reading) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "only"
    book.active["A20000"].number_format = "0.00"
    stream = io.BytesIO()
    book.save(stream)
    assert read.text("a.xlsx", stream.getvalue()) == "| only |\n| --- |"


def test_a_new_workbook_may_have_the_old_suffix(read: Reading) -> None:
    assert read.text("a.xls", made_files.xlsx({"S": [["x"], ["y"]]})) == "| x |\n| --- |\n| y |"


@pytest.mark.parametrize(
    "text",
    [
        'name,said\nMüller,"one, two"\nB,"3\n4"\n',
        "name;said\nMüller;one, two\nB;3 4\n",
        "name\tsaid\nMüller\tone, two\nB\t3 4\n",
        "name|said\r\nMüller|one, two\r\n\r\nB|3 4\r\n",
        "\ufeffname,said,\nMüller,'one'\n".replace("'one'", '"one, two"') + "B,3 4,,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_csv_may_be_separated_by_other_signs(read: Reading, text: str, encoding: str) -> None:
    data = text.lstrip("\ufeff").encode(encoding) if encoding != "utf-8" else text.encode()
    assert read.text("a.csv", data) == "| name | said |\n| --- | --- |\n| Müller | one, two |\n| B | 3 4 |"


def test_a_csv_of_one_column_or_of_a_long_cell_is_a_table(read: Reading) -> None:
    assert read.text("a.csv", "name\nMüller\n") == "| name |\n| --- |\n| Müller |"
    long = "word " * 50_000
    assert long.strip() in read.text("a.csv", f'a,b\n"{long}",c\n')


# EPUB


def test_chapters_go_by_their_headings_else_by_their_titles(read: Reading) -> None:
    made = epub(
        "The Book",
        {
            "a%20b.xhtml": "<head><title>The Book</title></head><body><h1>One</h1><p>a</p><h2>In</h2><p>b</p></body>",
            "c.xhtml": "<head><title>The Book</title></head><body><p>the rest of it</p></body>",
            "d.xhtml": "<head><title>Two</title></head><body><p># c</p></body>",
        },
    )
    assert read.texts("a.epub", made) == [
        ("The Book One", "a"),
        ("The Book One In", "b\n\nthe rest of it"),
        ("The Book Two", "# c"),
    ]


def test_a_book_whose_chapters_are_locked_is_encrypted_but_not_for_its_fonts(read: Reading) -> None:
    chapters = {"a.xhtml": "<body><h1>One</h1><p>a</p></body>"}
    lock = '<encryption><EncryptedData><CipherReference URI="OEBPS/{}"/></EncryptedData></encryption>'
    name = "META-INF/encryption.xml"
    assert read.reason("a.epub", epub("T", chapters, {name: lock.format("a.xhtml")})) == "encrypted"
    assert read.texts("a.epub", epub("T", chapters, {name: lock.format("font.otf")})) == [("One", "a")]


# Notebooks


def test_a_notebooks_code_is_fenced_and_its_output_left_out(read: Reading) -> None:
    cells = [
        ("markdown", "# Study\n\n![p](data:image/png;base64," + "A" * 99 + ")\n"),
        ("code", 'print("```")\n# no heading'),
        ("code", " "),
        ("markdown", "## Next\ntext"),
        ("raw", "as is"),
    ]
    assert read.texts("a.ipynb", notebook(cells)) == [
        ("Study", '![p]()\n\n````python\nprint("```")\n# no heading\n````'),
        ("Study Next", "text\n\n```\nas is\n```"),
    ]


def test_a_notebook_may_hold_cells_as_single_texts_and_must_have_cells(read: Reading) -> None:
    cell = {"cell_type": "markdown", "source": "a\nb"}
    assert read.text("a.ipynb", json.dumps({"cells": [cell]})) == "a\nb"
    assert "no cells in it" in read.reason("a.ipynb", json.dumps({"worksheets": [{"cells": [cell]}]}))
    assert read.reason("a.ipynb", '{"cells": [\n{"source": secret}]}') == "line 2 is not JSON: Expecting value"
