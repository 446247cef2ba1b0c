"""Hashes of sections and overlaps of words."""

import hashlib

import pytest

from stages.text import overlap, section_hash, stem


def test_a_section_hash_is_that_of_its_words_whatever_the_white_space() -> None:
    expected = hashlib.sha256("Copies an image.\nTwice".replace("\n", " ").encode()).hexdigest()[:16]
    assert section_hash("  Copies  an image.\n\n\tTwice\r\n") == expected
    assert section_hash("Copies an image. twice") != expected


@pytest.mark.parametrize(
    ("query", "heading", "share"),
    [
        ("to copy an image", "Copy Image", 1.0),
        ("Copying of images!", "Copy Image", 1.0),  # copying → copy, images → imag = image → imag
        ("move the picture", "Copy Image", 0.0),
        ("make a copy", "Copy Image", 0.5),
        ("delete the stacks of a set", "Delete Stack Set", 1.0),
        ("what are the limits", "The Limits of `copy-image` (v2)", 0.25),  # limit of limit, copy, image, v2
        ("snake_case names", "snake_case", 1.0),
        ("über die Straße", "Straße", 1.0),
        ("हिन्दी में", "हिन्दी", 1.0),
        ("हैं", "है", 0.0),  # differ in a vowel sign alone
        ("anything", "The Of", 0.0),  # nothing but stop words
        ("anything", "", 0.0),
    ],
)
def test_overlap_is_the_share_of_the_headings_stems_that_the_query_repeats(
    query: str, heading: str, share: float
) -> None:
    assert overlap(query, heading) == pytest.approx(share)


def test_short_words_keep_their_endings() -> None:
    assert [stem(word) for word in ("is", "Ring", "sing", "es", "caching", "policies")] == [
        "is",
        "ring",
        "sing",
        "es",
        "cach",
        "polic",
    ]
