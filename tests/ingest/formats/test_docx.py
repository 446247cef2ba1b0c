"""Word."""

from tests.ingest.made_files import docx, word
from tests.ingest.reading import Reading


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
        ("Part 1 Deep", "See[1]\n\n$E = m$\n\n1. The note."),
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
