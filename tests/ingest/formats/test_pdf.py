"""PDF: paragraphs, headers and footers, titles."""

import pytest

from tests.ingest.made_files import as_printed, pdf
from tests.ingest.reading import Reading


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
    assert read.reason("a.pdf", pdf([[], [" "]])) == "no text in it: a scan needs OCR: pip install -e '.[ocr]'"
    sections, left_out = read.counted("a.pdf", pdf([["text"], [], ["more"]]))
    assert [section.section for section in sections] == ["Page 1", "Page 3"]
    assert left_out == {"pages_without_text": 1}
