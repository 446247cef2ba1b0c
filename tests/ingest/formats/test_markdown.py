"""Markdown: what is mended in it before it is cut, and how cells of other formats are written."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from stages.ingest.formats import writing
from tests.ingest.reading import Reading


def test_markdown_is_mended_before_it_is_cut(read: Reading) -> None:
    (section,) = read("a.md", "# Pru\u0308\u00adfung\r\n\r\nﬁne\u00a0text\r\n")
    assert (section.section, section.slug, section.text) == ("Prüfung", "prüfung", "fine text")


def test_pictures_inside_markdown_are_dropped_but_not_what_is_said_of_them(read: Reading) -> None:
    data = "base64," + "iVBORw0KGgo" * 20
    text = f'![cat](data:image/png;{data}) <img src="data:image/svg+xml;{data}=="> and\n\n[i]: <data:image/png;{data}>'
    assert read.text("a.md", text) == "![cat]()  and\n\n[i]: <>"
    assert read.text("a.md", "say data:image/png;base64,AAAA") == "say data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (float("inf"), "inf"),
        (0.1 + 0.2, "0.3"),
        (3.0, "3"),
        (12345678901234567890, "12345678901234567890"),
        (False, "False"),
        ("nan", "nan"),
        (datetime(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 12, 30), "2024-02-29 12:30:00"),
        (date(2024, 2, 29), "2024-02-29"),
        (timedelta(hours=1), "1:00:00"),
    ],
)
def test_a_value_is_written_as_tables_show_it(value: Any, text: str) -> None:
    assert writing.cell(value) == text
