"""Markdown: what is mended in it before it is cut."""

from tests.ingest.reading import Reading


def test_markdown_is_mended_before_it_is_cut(read: Reading) -> None:
    (section,) = read("a.md", "# Pru\u0308\u00adfung\r\n\r\nﬁne\u00a0text\r\n")
    assert (section.section, section.slug, section.text) == ("Prüfung", "prüfung", "fine text")


def test_pictures_inside_markdown_are_dropped_but_not_what_is_said_of_them(read: Reading) -> None:
    data = "base64," + "iVBORw0KGgo" * 20
    text = f'![cat](data:image/png;{data}) <img src="data:image/svg+xml;{data}=="> and\n\n[i]: <data:image/png;{data}>'
    assert read.text("a.md", text) == '![cat]() <img src=""> and\n\n[i]: <>'
    assert read.text("a.md", "say data:image/png;base64,AAAA") == "say data:image/png;base64,AAAA"
