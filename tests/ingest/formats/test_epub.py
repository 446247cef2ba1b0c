"""EPUB."""

from tests.ingest.made_files import epub
from tests.ingest.reading import Reading


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
