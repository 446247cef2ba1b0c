"""Files of situations that people reported against document tools, each with the value that is right.

A kind of fault has inputs of its own beside the reported one.
"""

import io
import zipfile
from pathlib import Path

import pytest

from stages.ingest import boilerplate, readers
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.sections import Section
from tests.ingest.made_files import by_pandoc, docx, epub, pdf, pptx, word, xlsx, zipped
from tests.ingest.reading import Reading

INPUTS = Path(__file__).parent / "inputs"


def content(name: str, fields: Fields = Fields("id", "title", "text")) -> Content:  # noqa: B008 (it is frozen)
    return readers.read(INPUTS / name, name, fields)


def sections(name: str) -> list[Section]:
    return content(name)[0]


def texts(name: str) -> list[tuple[str, str]]:
    return [(section.title, section.text) for section in sections(name)]


def whole(name: str) -> str:
    return "\n\n".join(section.text for section in sections(name))


# What repeats: the same to the letter, or a page's number.


@pytest.mark.parametrize("name", ["pdf3/p20_datasheets.pdf", "pdf3/s20_datasheets.pptx"])
def test_pages_that_differ_in_their_numbers_alone_keep_them(name: str) -> None:
    pages, left_out = content(name)
    assert left_out == {}
    for number, page in enumerate(pages, start=1):
        facts = (f"Valve V-{number}00", f"Maximum pressure: {number}0 bar", f"Weight: {3 * number} kg")
        for fact in (*facts, f"Price: {40 * number} EUR"):
            assert fact in f"{page.title}\n{page.text}"


@pytest.mark.parametrize("folder", ["boiler/release", "boiler/errors"])
def test_files_that_differ_in_their_numbers_alone_keep_them(folder: str) -> None:
    read = [sections(path.relative_to(INPUTS).as_posix()) for path in sorted((INPUTS / folder).iterdir())]
    counts = boilerplate.Counts()
    for of_file in read:
        counts.add(boilerplate.blocks(of_file))
    repeated = boilerplate.repeated(counts, len(read), 0.3, 10)
    for of_file in read:
        assert boilerplate.strip_boilerplate(of_file, repeated) == (of_file, 0)


def test_a_running_number_at_a_pages_edge_is_dropped_and_a_measured_one_is_not(read: Reading) -> None:
    letters = "abcde"
    pages = [
        [f"{n + 7}", f"Model {n * n + 1}", f"Body {letters[n]}.", f"Torque: {n + 3}", "Pump book"] for n in range(5)
    ]
    found, left_out = read.counted("a.pdf", pdf(pages))
    assert left_out == {"repeated_page_lines": 10}
    assert [page.text for page in found] == [
        f"Model {n * n + 1}\nBody {letters[n]}.\nTorque: {n + 3}" for n in range(5)
    ]


def test_slides_with_a_copyright_of_changing_years_lose_that_line_alone(read: Reading) -> None:
    slides = [("", f"Limit {n * 10} V\nPart {'abcde'[n]}\n© {2020 + n} Example Works", "") for n in range(5)]
    found, left_out = read.counted("a.pptx", pptx(slides))
    assert left_out == {"repeated_page_lines": 5}
    assert [slide.text for slide in found] == [f"Limit {n * 10} V\nPart {'abcde'[n]}" for n in range(5)]


# Where an element stands.


def test_a_heading_in_a_button_is_a_heading() -> None:
    assert texts("html/h05_accordion.html") == [
        ("Frequently asked questions How do I reset my password?", "Open the profile page and choose Reset."),
        ("Frequently asked questions Can I pay by invoice?", "Yes, from 100 euros on."),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<dl><dt><button>Term</button></dt><dd>Meaning</dd></dl>", "Term\n:   Meaning"),
        ("<details><summary><button>More</button></summary>Words</details>", "More\n\nWords"),
        ('<button role="tab">Linux</button><div role="tabpanel" hidden>Use apt.</div>', "Linux\n\nUse apt."),
        ("<table><tr><th><button>Port</button></th></tr><tr><td>22</td></tr></table>", "| Port |\n| --- |\n| 22 |"),
        ("<p>Run it</p><button>Copy</button><select><option>en</option></select>", "Run it"),
    ],
)
def test_a_button_is_text_where_it_names_something(read: Reading, page: str, text: str) -> None:
    assert read.text("a.html", page).replace("\n\n\n", "\n\n") == text


def test_footers_of_sections_and_quotations_are_text() -> None:
    assert texts("html/h21_article_header.html")[1:] == [
        (
            "Backups | Acme Docs Backups",
            "By the ops team\n\nBackups run at night.\n\n> Test your restores.\n>\n> An admin",
        ),
        ("Backups | Acme Docs Backups Restore", "Use the restore tool.\n\nNote: it needs root."),
    ]


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        ("<article><p>a</p><footer>Applies to 5.2.</footer></article>", True),
        ("<article><p>a</p><footer><a href=x>Previous</a> <a href=y>Next</a></footer></article>", False),
        ("<main><p>a</p><nav>Wait for the green lamp, <a href=x>then</a>.</nav></main>", True),
        ("<main><p>a</p><nav><ul><li><a href=x>One</a></li></ul></nav></main>", False),
        ("<p>a</p><footer>Imprint of the owner</footer>", False),
    ],
)
def test_a_frame_inside_the_text_is_text_unless_it_is_links(read: Reading, frame: str, kept: bool) -> None:
    assert (read.text("a.html", frame) != "a") == kept


def test_what_is_hidden_is_not_read_but_for_tabs() -> None:
    text = whole("html/h17_hidden.html")
    assert "Use apt." in text and "Use brew." in text
    assert "tracking" not in text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a</p><p hidden>b</p>", "a"),
        ("<p>a</p><p style='color:red; display : none'>b</p>", "a"),
        ("<p>a</p><dialog>b</dialog>", "a"),
        ("<p>a</p><dialog open>b</dialog>", "a\n\nb"),
        ("<p>a</p><p hidden=until-found>b</p>", "a\n\nb"),
    ],
)
def test_what_a_style_hides_is_not_read(read: Reading, page: str, text: str) -> None:
    assert read.text("a.html", page) == text


def test_elements_of_a_pages_own_are_set_apart(read: Reading) -> None:
    assert whole("html/h18_custom_elements.html").split("\n\n") == [
        *("Europe has three regions.", "Asia has two regions.", "Close me", "Name", "type here", "A map"),
    ]
    assert whole("html/h22_main_in_form.html").endswith("Contact\n\nCall 123.")
    assert read.text("a.html", "<p>See <x-link>docs</x-link>. The <x-b>A</x-b>key</p>") == "See docs. The A key"
    assert read.text("b.html", "<p><label>Size</label>5</p>") == "Size 5"


# What defines a structure.


def test_words_headings_are_those_of_its_outline(read: Reading) -> None:
    assert texts("docx/d01_custom_styles.docx") == [
        ("Pump manual", "The pump moves water."),
        ("Pump manual Starting it", "Press the green button."),
        ("Pump manual Stopping it", "Press the red button."),
    ]
    level = '<w:p><w:pPr><w:outlineLvl w:val="{}"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    own = level.format(0, "Handbuch") + word("Vorwort.") + level.format(1, "Starten") + word("Grün drücken.")
    assert read.texts("own.docx", docx(own)) == [("Handbuch", "Vorwort."), ("Handbuch Starten", "Grün drücken.")]
    assert read.texts("body.docx", docx(level.format(9, "No heading") + word("Text."))) == [
        ("body", "No heading\n\nText.")
    ]


@pytest.mark.parametrize("names", [("Überschrift 1", "标题 2"), ("Kapitel", "Abschnitt")])
def test_styles_of_any_name_may_be_headings(read: Reading, names: tuple[str, str]) -> None:
    made = docx(
        word("Handbuch", "s0") + word("Starten", "s1") + word("Grün drücken.") + word("Stoppen", "s2") + word("Rot.")
    )
    style = '<w:style w:type="paragraph" w:styleId="s{0}"><w:name w:val="{1}"/>{2}</w:style>'
    levels = ['<w:pPr><w:outlineLvl w:val="0"/></w:pPr>', '<w:pPr><w:outlineLvl w:val="1"/></w:pPr>']
    styles = style.format(0, names[0], levels[0]) + style.format(1, names[1], levels[1])
    styles += style.format(2, "Based on it", '<w:basedOn w:val="s1"/>')
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["word/styles.xml"] = parts["word/styles.xml"].replace("</w:styles>", f"{styles}</w:styles>")
    assert read.texts("a.docx", zipped(parts)) == [("Handbuch Starten", "Grün drücken."), ("Handbuch Stoppen", "Rot.")]


def test_word_files_show_what_word_shows() -> None:
    assert "HIDDEN" not in whole("docx/d03_tracked.docx")
    boxes = whole("docx/d04_controls_box.docx")
    for line in ("Para with a box.", "Text of the box.", "Para with a modern box only.", "Text of the modern box."):
        assert boxes.count(line) == 1
    assert whole("docx/d10_macro.docm").startswith("It is about pumps.")


# Tables.


def test_cells_that_span_rows_are_in_each_of_them() -> None:
    assert "| Weekend | Sat closed |\n| Weekend | Sun closed |" in whole("html/h04_table_list.html")
    tables = whole("html3/h27_tables.html")
    assert "| Part | Price |  |\n| --- | --- | --- |\n| Part | net | gross |\n| Seal | 1 | 2 |" in tables
    assert tables.count("| Port | Use |\n| --- | --- |\n| 22 | ssh |") == 3
    word_table = sections("docx/d05_tables.docx")[0].text
    assert "| r1c0  r2c0 | r1c1 | r1c2 |\n| r1c0 r2c0 | r2c1 | r2c2 |" in word_table


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            "<tr><td rowspan=2>a<td>b<td rowspan=0>c</tr><tr><td>d</tr><tr><td>e<td>f</tr>",
            "| a | b | c |\n| --- | --- | --- |\n| a | d | c |\n| e | f | c |",
        ),
        (
            "<tr><th>h<th>i</tr><tr><td rowspan=2 colspan=2>x</tr><tr></tr><tr><td>y<td>z</tr>",
            "| h | i |\n| --- | --- |\n| x |  |\n| x |  |\n| y | z |",
        ),
        (
            "<tfoot><tr><td>sum</td><td>3</td></tr></tfoot><thead><tr><th>k</th><th>v</th></tr></thead>"
            "<tbody><tr><td>a</td><td>3</td></tr></tbody>",
            "| k | v |\n| --- | --- |\n| a | 3 |\n| sum | 3 |",
        ),
        (
            "<caption>Cap</caption><colgroup><col></colgroup><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr>",
            "Cap\n\n| k | v |\n| --- | --- |\n| a | 1 |",
        ),
    ],
)
def test_a_table_is_a_grid(read: Reading, rows: str, text: str) -> None:
    assert read.text("a.html", f"<table>{rows}</table>") == text


def test_a_long_table_under_a_caption_has_a_head() -> None:
    assert whole("html4/h29_long_caption.html").startswith(
        "Ports in use\n\n| Port | What |\n| --- | --- |\n| port 1 | service number 1."
    )


def test_a_table_that_lays_out_a_page_is_none(read: Reading) -> None:
    assert [(section.section, section.text) for section in sections("docx/d05_tables.docx")[1:]] == [
        ("Layout", "Intro in the cell."),
        ("Heading in cell", "Text below it.\n\n1. one\n2. two"),
    ]
    page = "<table><tr><td>Menu</td><td><h1>Pump</h1><p>It moves.</p><pre>run\nstop</pre></td></tr></table>"
    assert read.texts("a.html", page) == [("Pump", "Menu"), ("Pump", "It moves.\n\n```\nrun\nstop\n```")]
    single = "<table role=presentation><tr><td>One</td></tr><tr><td>Two</td></tr></table>"
    assert read.text("b.html", single) == "One\n\nTwo"


def test_listings_are_code_whatever_their_lines_are(read: Reading) -> None:
    code = whole("html/h10_code_gutter.html")
    for name, sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("div", "/")):
        assert f"```\ndef {name}(a, b):\n    return a {sign} b\n```" in code
    assert code.endswith("```\ndef neg(a):\n    return -a\n```")
    lines = whole("html2/h26_pre_divs.html")
    assert "```\ndef f(a):\n    if a:\n        return 1\n```" in lines
    assert "```\nx = 1\nif x:\n    y = 2\n```" in lines
    assert "```\none\n  two\n    three\n```" in lines
    assert "```\nfirst()\nsecond()\n```" in lines
    numbered = '<span class="line"><span class="line-number">1</span>a</span>'
    prism = f'<pre><code>{numbered}\n<span class="line">  b</span></code></pre>'
    assert read.text("a.html", prism) == "```\na\n  b\n```"
    cells = '<table class="highlight"><tr><td class="blob-num">1</td><td><span>x = 1</span></td></tr></table>'
    assert read.text("b.html", cells) == "```\nx = 1\n```"


# Numbers.


def test_numbers_keep_their_value(read: Reading) -> None:
    assert whole("html/h08_sup.html") == "It stores 10^6 rows of CO2 values, see note[3]. x^2 + y1"
    assert "H2O and 10^6" in whole("docx/d09_title_code.docx")
    assert read.text(
        "a.html", "<p>5 m<sup>2</sup>, 1<sup>st</sup>, 2<sup>-3</sup>, word<sup>[4]</sup>, 10<sub>2</sub>"
    ) == ("5 m^2, 1st, 2^-3, word[4], 10_2")
    assert read.text("a.md", "Up to 10<sup>9</sup> rows, `x<sup>2</sup>` and CO<sub>2</sub>.") == (
        "Up to 10^9 rows, `x<sup>2</sup>` and CO2."
    )


def test_workbooks_show_values_as_excel_does(read: Reading) -> None:
    found, left_out = content("xlsx/x01_book.xlsx")
    assert left_out == {"formulas_without_value": 1}
    assert found[0].text == (
        "Price list 2024\n\n| Group | Part | Price | Share |\n| --- | --- | --- | --- |\n"
        "| Filters | F-1 | 9.50 EUR | 15% |\n| Filters | F-2 | 11.00 EUR | 20% |\n| Filters | F-3 | 12.00 EUR | 65% |\n"
        "| Sum |  |  |  |"
    )
    assert "| 01234 | 2024-03-01 |" in found[1].text


# Markdown as people have it.


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("md/m01_toml_front.md", ["Backups", "Backups Restore"]),
        ("md/m04_blank_front.md", ["Blank first"]),
        ("md/m21_json_front.md", ["JSON front", "JSON front Part"]),
        ("md2/m23_comment_before_front.md", ["Queues", "Queues Limits"]),
        ("md2/m24_blank_before.md", ["Blank line first"]),
        ("md2/m27_odd_key.md", ["Odd key"]),
    ],
)
def test_front_matter_gives_the_title_and_no_text(name: str, titles: list[str]) -> None:
    assert [section.title for section in sections(name)] == titles
    assert "weight" not in whole(name)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\n# SPDX-License-Identifier: CC-BY-4.0\ntitle: Networking\n---\n\nText.", "Networking"),
        ("---\n# a\n\n# b\n'title': Net\n---\nText.", "Net"),
        ("<!-- a -->\n\n<!-- b -->\n+++\ntitle = 'Net'\n+++\nText.", "Net"),
        ("---\n\nNote: careful.\n\n---\n\nText.", "a"),  # two rules
        ('{\n  "a": 1\n}\n\nText.', "a"),  # an example
    ],
)
def test_front_matter_is_told_from_text(read: Reading, text: str, title: str) -> None:
    (section,) = read("a.md", text)
    assert section.title == title
    assert (section.text == "Text.") == (title != "a")


def test_ids_of_headings_are_no_part_of_their_names() -> None:
    assert [(section.section, section.anchor) for section in sections("md/m05_heading_ids.md")] == [
        ("Install on Linux", "install-linux"),
        ("Install on Mac", "install-mac"),
        ("Remove", ""),  # its id is its slug
        ("卸载", "uninstall"),
    ]


@pytest.mark.parametrize(
    ("heading", "name", "anchor"),
    [
        ("Get it {.unnumbered}", "Get it", ""),
        ('Get it {#fetch data-x="a b"}', "Get it", "fetch"),
        ('Get it {{< badge "New" >}}', "Get it", ""),
        ("GET /users/{id}", "GET /users/{id}", ""),
        ("The set {1, 2}", "The set {1, 2}", ""),
    ],
)
def test_what_is_in_braces_may_be_the_headings_own(read: Reading, heading: str, name: str, anchor: str) -> None:
    (section,) = read("a.md", f"# T\n\n## {heading}\n\nText.")
    assert (section.section, section.anchor) == (name, anchor)


def test_a_page_gives_its_headings_ids() -> None:
    assert [section.anchor for section in sections("real/docs/sub/api.html")] == ["", ""]


def test_html_in_markdown_is_read_as_it_is_seen() -> None:
    assert texts("md/m06_html_readme.md") == [
        (
            "Zap",
            "A tiny server for files.\n\n[![Build](https://img.example/build.svg)](https://ci.example) "
            "[![PyPI](https://img.example/pypi.svg)](https://pypi.example)",
        ),
        ("Zap Install", "Run `pip install zap`."),
        ("Zap Usage", "| Flag | Meaning |\n| --- | --- |\n| -p | the port |\n\nMore flags"),
        ("Zap Usage Rare flags", "`-q` makes it quiet."),
    ]
    assert whole("md/m16_comments.md").split() == ["Visible", "text.", "More", "text."]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Press <kbd>Enter</kbd> or `<b>`.", "Press Enter or `<b>`."),
        ("A `List<String>` of <T> and <Tabs>.", "A `List<String>` of <T> and <Tabs>."),
        ("```\n<!-- code -->\n```", "```\n<!-- code -->\n```"),
        ("| a | b |\n|---|---|\n| 1<br>2 | <i>c</i> |", "| a | b |\n|---|---|\n| 1 2 | c |"),
        ('<p align="center"><img src="x" alt="A map"></p>\n\nText.', "A map\n\nText."),
        ("- one <!-- x -->\n- two", "- one \n- two"),
    ],
)
def test_tags_go_and_code_stays(read: Reading, text: str, seen: str) -> None:
    assert read.text("a.md", text) == seen


def test_mdx_is_markdown_without_components(read: Reading) -> None:
    text = (INPUTS / "md/m02_mdx.md").read_text()
    assert read.texts("a.mdx", text) == [("Tabs Using an apple", "Eat it raw.")]
    code = "# T\n\n```js\nimport a from 'b';\n<Tabs>\n```\n\n<Note type=\"x\">\n\nCareful.\n\n</Note>"
    assert read.text("b.mdx", code) == "```js\nimport a from 'b';\n<Tabs>\n```\n\n\n\nCareful."


def test_a_classifier_stands_apart_from_its_term() -> None:
    assert "term : classifier" in whole("rst/r04_docinfo.rst")


def test_a_long_line_is_read(read: Reading) -> None:
    assert read.text("a.rst", "Title\n=====\n\n" + "word " * 5000).count("word") == 5000


# PDF.

LEFT = "The inlet valve is closed before the filter is taken out. Then the lid can be lifted with both hands and put to"


@pytest.mark.parametrize(
    "name", ["pdf/p02_columns_row_by_row.pdf", "pdf/p03_bottom_up.pdf", "pdf2/q03_text_cw.pdf", "pdf/p05_rotated.pdf"]
)
def test_lines_are_in_the_order_of_reading(name: str) -> None:
    assert sections(name)[0].text.startswith(LEFT)


def test_columns_follow_one_another_and_turned_text_is_apart() -> None:
    assert whole("pdf/p02_columns_row_by_row.pdf").endswith("must then be replaced by the maker of the pump.")
    assert "put in place. Every spring" in whole("pdf/p02_columns_row_by_row.pdf")
    pages = sections("pdf/p05_rotated.pdf")
    assert pages[1].text.startswith("Every spring the seals are greased. Use only the grease")
    assert pages[2].text.endswith("put in place.\nCONFIDENTIAL")


def drawn(lines: list[tuple[int, int, str]]) -> bytes:
    """A PDF page whose lines are drawn in this order, each at its place."""
    shown = "".join(f"BT /F1 10 Tf 1 0 0 1 {x} {y} Tm ({text}) Tj ET\n" for x, y, text in lines)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R "
        "/Resources << /Font << /F1 4 0 R >> >> >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream",
    ]
    data = "%PDF-1.4\n" + "".join(f"{n} 0 obj\n{each}\nendobj\n" for n, each in enumerate(objects, 1))
    return f"{data}trailer\n<< /Root 1 0 R >>\n%%EOF".encode()


def test_two_columns_are_told_from_a_table(read: Reading) -> None:
    left = [f"Left column line number {n} goes" for n in "abcd"]
    right = [f"right column line number {n} ends" for n in "wxyz"]
    both = [line for n in range(4) for line in ((50, 700 - 14 * n, left[n]), (320, 700 - 14 * n, right[n]))]
    assert " ".join(read.text("a.pdf", drawn(both)).split()) == " ".join(left + right)
    table = [line for n in range(4) for line in ((50, 700 - 14 * n, f"Part {n}"), (320, 700 - 14 * n, f"{n}.50"))]
    assert read.text("b.pdf", drawn(table)).split("\n") == [f"Part {n} {n}.50" for n in range(4)]


def test_lines_drawn_upwards_are_read_downwards(read: Reading) -> None:
    lines = [(50, 600 + 14 * n, f"Line {4 - n} of the page.") for n in range(5)]
    assert read.text("a.pdf", drawn(lines)).split("\n") == [f"Line {n} of the page." for n in range(5)]


def test_scanned_pages_are_counted_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.ingest.formats import ocr

    monkeypatch.setattr(ocr, "_engine", lambda: None)  # as without the extra
    found, left_out = content("pdf4/p21_mostly_scanned.pdf")
    assert len(found) == 1
    assert left_out == {"pages_without_text": 9}


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15])
def test_titles_that_programs_make_up_are_none(number: int) -> None:
    assert sections(f"pdf5/t{number:02}.pdf")[0].title == f"t{number:02}"


def test_titles_that_people_give_are_kept(read: Reading) -> None:
    assert sections("pdf5/t09.pdf")[0].title == "Pump manual"
    for title in ("Word processing in schools", "Slide rules", "Print on demand", "Excel functions"):
        assert read("a.pdf", pdf([["text"]], title))[0].title == title


def test_odds_and_ends_of_pages() -> None:
    first, second = sections("pdf/p06_two_pages.pdf")
    assert first.text.split("\n")[0] == second.text.split("\n")[0] == "Pump manual - internal use only"
    code = whole("pdf/p07_code_list.pdf")
    assert (
        "```\ndef add(first, second):\n    # both must be numbers\n    total = first + second\n    return total\n```"
        in code
    )
    assert "well-known" in code and "information" in code
    assert "Words placed one by one without any blank between them" in whole("pdf/p10_spacing.pdf")
    assert "Introduction … 2\nFilters … 3\nSeals … 5" in sections("pdf2/q06_book.pdf")[0].text


# PowerPoint, EPUB.


def test_equations_keep_their_boxes() -> None:
    slides = sections("pptx/s01_training.pptx")
    assert next(slide.text for slide in slides if slide.section == "Energy") == "Ordinary box.\nThe energy is E=mc"
    assert [slide.section for slide in sections("pptx2/s02_title_equation.pptx")] == ["Course", "Energy of a pump"]


def test_a_missing_chapter_costs_that_alone(read: Reading) -> None:
    found, left_out = content("epub/e01_missing_chapter.epub")
    assert [section.title for section in found] == ["The Sea Wind", "The Sea Rain"]
    assert left_out == {"missing chapter OEBPS/gone.xhtml": 1}
    made = epub("T", {"a.xhtml": "<body><h1>One</h1><p>a</p></body>", "b.xhtml": "<body><h1>Two</h1><p>b</p></body>"})
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    slashed = {name.replace("OEBPS/a.", "OEBPS\\a."): data for name, data in parts.items()}
    assert [section.section for section in read("a.epub", zipped(slashed))] == ["One", "Two"]
    gone = {name: data for name, data in parts.items() if not name.endswith(("a.xhtml", "b.xhtml", "nav.xhtml"))}
    assert read.reason("b.epub", zipped(gone)) == "none of its chapters is in it"


def test_a_contents_page_names_no_chapter() -> None:
    assert [section.title for section in sections("epub/e02_odd.epub")] == [
        *("The Sea 1 Wind", "The Sea 2 Rain", "The Sea Notes"),
    ]


# Records, and what is said of broken ones.


@pytest.mark.parametrize(("name", "line"), [("j05_pretty.jsonl", 1), ("j06_array.jsonl", 1), ("j07_trailing.jsonl", 2)])
def test_the_line_of_a_mistake_is_its_own(name: str, line: int) -> None:
    with pytest.raises(UnreadableError, match=f"^line {line} is not JSON"):
        content(f"json/{name}")


def test_rows_of_a_table_may_be_records(read: Reading) -> None:
    found, counts = content("csv/c01_records.csv")
    assert counts == {"rows_as_passages": 8}
    assert (found[0].section, found[0].title, found[0].document) == ("1", "Topic 1", "Topic 1")
    questions, counts = content("xlsx/x02_faq.xlsx")
    assert counts == {"rows_as_passages": 6}
    assert questions[5].title == "How do I reset thing 5?"
    rows = [["Question", "Answer"], ["How?", "So."], ["", ""], ["Why?", "Since."]]
    found, counts = read.counted("a.xlsx", xlsx({"One": rows, "Two": rows, "Plain": [["k", "v"], ["a", "b"]]}))
    assert [section.text for section in found] == [
        "| k | v |\n| --- | --- |\n| a | b |",
        "So.",
        "Since.",
        "So.",
        "Since.",
    ]
    assert counts == {"rows_as_passages": 4}
    assert read("a.tsv", "text\tother\na\tb\n")[0].text.startswith("| text | other |")  # no id, no title


def test_fields_may_be_nested(read: Reading) -> None:
    prefix = "data[].attributes"
    (section,) = content("json/j01_nested.json", Fields("data[].id", f"{prefix}.title", f"{prefix}.body"))[0]
    assert (section.section, section.title, section.text) == ("1", "T", "Body of one.")
    path = read.folder / "a.jsonl"
    path.write_text('{"meta": {"id": "x"}, "page": {"body": "b"}}\n')
    (section,), _ = readers.read(path, "a.jsonl", Fields("meta.id", "title", "page.body"))
    assert (section.section, section.text) == ("x", "b")


def test_of_a_beir_corpus_the_title_is_text_where_there_is_no_other() -> None:
    found, left_out = content("beir/plain/corpus.jsonl")
    assert [section.section for section in found] == ["d1", "d2", "d3"]
    assert found[1].text == "A trial of hand washing in schools"
    assert left_out == {}
    assert [section.section for section in content("beir/gz/corpus.jsonl.gz")[0]] == ["d1", "d2", "d3"]


# Text, limits, suffixes.


def test_text_of_old_macs_and_of_terminals() -> None:
    assert whole("txt/t16_mac.txt") == "Größe und Maß, Straße, fünf Übel."
    assert whole("txt/t17_ansi.txt") == "Error: the pump stopped."


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    import gzip

    bomb = zipped({"word/document.xml": "x" * 3_000_000})
    names = ("a.docx", "b.epub", "c.xlsx", "d.pptx")
    for name, data in (*((name, bomb) for name in names), ("e.txt.gz", gzip.compress(b"x" * 3_000_000))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnreadableError, match=r"^unpacks to more than 2 MB: raise ingest\.max_megabytes"):
            readers.read(tmp_path / name, name, Fields("id", "title", "text"), max_megabytes=2)


def test_files_are_known_by_more_than_one_suffix(read: Reading) -> None:
    import gzip

    assert whole("txt/README") == "No suffix."
    assert read.text("a.md.gz", gzip.compress(b"# T\n\nText.")) == "Text."
    assert read.text("b.py", "def f():\n    return 1\n") == "```py\ndef f():\n    return 1\n```"


def test_a_message_is_read_under_its_subject(read: Reading) -> None:
    from tests.ingest.made_files import message

    sections, left_out = read.counted("a.eml", message("Pump 7", "It drips.", attachment="log"))
    assert [(section.title, section.text) for section in sections] == [
        ("Pump 7", "From: Rosa Winter <rosa@example.org>\nTo: ops@example.org\n\nIt drips.")
    ]
    assert left_out == {"attachments": 1}


# What pandoc leaves out.


def test_formulas_and_text_boxes_of_opendocument_are_text(read: Reading) -> None:
    with zipfile.ZipFile(io.BytesIO(by_pandoc("# Pump\n\nThe flow is $Q = A v$ per second.", "odt"))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    box = "<draw:frame><draw:text-box><text:p>Seal the lid.</text:p></draw:text-box></draw:frame>"
    end = f"<text:p>Below{box} it.</text:p></office:text>"
    parts["content.xml"] = parts["content.xml"].replace("</office:text>", end)
    assert read.text("a.odt", zipped(parts)).split("\n\n") == [
        *("The flow is $$Q = Av$$ per second.", "Below it.", "Seal the lid."),
    ]


@pytest.mark.parametrize("footnote", [r"\footnote", r"\*\footnote"])  # as Word and as LibreOffice write it
def test_footnotes_of_rtf_are_text(read: Reading, footnote: str) -> None:
    rtf = rf"{{\rtf1\ansi Seal it{{\super\chftn}}{{{footnote}\pard\plain\chftn Up to 42 bar.}}\par Next.\par}}"
    assert read.text("a.rtf", rtf).split("\n\n") == ["Seal it[1]", "Next.", "1. Up to 42 bar."]


def test_rows_that_a_cell_of_latex_spans_keep_their_columns(read: Reading) -> None:
    rows = r"Day & From & To \\ \multirow{2}{*}{Weekend} & 9 & 12 \\ & 10 & 11 \\"
    text = read.text("a.tex", rf"\begin{{document}}\begin{{tabular}}{{lll}}{rows}\end{{tabular}}\end{{document}}")
    assert text.split("\n")[2:] == ["| Weekend | 9 | 12 |", "| Weekend | 10 | 11 |"]


def test_rows_that_a_cell_of_asciidoc_spans_are_named(read: Reading) -> None:
    table = "|===\n|Day |From\n\n.2+|Weekend |9\n|10\n\n|Monday .3+^s|8\n|===\n"
    assert read.counted("a.adoc", table)[1] == {"row_spans_of_tables": 2}
    assert read.counted("b.adoc", "Version .2+ is new.\n\n|===\n2+|Both\n|1 |2\n|===\n")[1] == {}


@pytest.mark.slow
def test_a_scanned_page_is_read(read: Reading) -> None:
    """Half a minute on two cores that do other work."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (1100, 300), "white")
    ImageDraw.Draw(picture).text((40, 100), "The inlet valve is closed", fill="black", font=ImageFont.load_default(64))
    stream = io.BytesIO()
    picture.save(stream, "PDF", resolution=150)
    assert "inlet valve is closed" in read.text("a.pdf", stream.getvalue())
