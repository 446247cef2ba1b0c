"""Texts as the page shows them: marked words, directions, nothing that steers."""

import pytest

from fieldtune.judging.shown_text import direction, marked


def words(text: str, query: str) -> list[str]:
    segments = marked(text, query)
    assert "".join(piece for piece, _ in segments) == text
    return [piece for piece, is_marked in segments if is_marked]


def test_the_querys_words_are_marked_in_other_forms_and_stop_words_are_not() -> None:
    assert words("Closing the vents: vents close at night.", "close the vent") == ["Closing", "vents", "vents", "close"]
    assert words("eventful inventory", "vent") == []
    assert words("", "vent") == []
    assert words("Größe der GRÖSSE", "größe") == ["Größe"]


def test_pairs_of_characters_are_marked_in_scripts_without_spaces() -> None:
    assert words("我们检索模型的文档", "检索模型怎么用") == ["检索模型"]
    assert words("索引", "检索") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("close", "ltr"),
        ("123 كيف أنسخ", "rtl"),
        ("שלום close", "rtl"),
        ("close שלום", "ltr"),
        ("12 — 3", "ltr"),
        ("", "ltr"),
    ],
)
def test_the_first_letter_gives_the_direction(text: str, expected: str) -> None:
    assert direction(text) == expected


def test_characters_that_steer_are_left_out() -> None:
    assert marked("a\x00b\x1b[31m \u202ecba\u2066 \u2028 ok\n", "x") == [("ab[31m cba  ok\n", False)]
