"""What is mended in text, and what must stay as it is."""

import unicodedata

import pytest

from fieldtune.corpus.unicode import repair


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("u\u0308ber", "über"),  # a letter and its dots
        ("\u1112\u1161\u11ab", "한"),  # a syllable in pieces
        ("ﬁnd the oﬃce ﬂoor, ﬀ ﬄ ﬅ ﬆ", "find the office floor, ff ffl st st"),
        ("exam\u00adple", "example"),
        ("\ufeffbe\u200bgin\u2060ning", "beginning"),
        ("a\u00a0b\u202fc\u2007d", "a b c d"),
        ("a\x00\x07\x1bb\x7f\x9f", "ab"),
        ("a\r\nb\rc\vd\fe\x85f", "a\nb\nc\nd\ne\nf"),
        ("\ufee3\ufeae\ufea3\ufe92\ufe8e", "مرحبا"),  # Arabic letters by their shapes, as PDFs have them
        ("\ufefb", "لا"),
        ("\u2f42\u2f06", "文二"),  # the radicals of Chinese characters
        ("half \ud800 a character", "half  a character"),
    ],
)
def test_what_is_only_there_for_print_is_mended(broken: str, mended: str) -> None:
    assert repair(broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain\ttext\nwith ¶ signs – “quoted” ½ ² ™ Å",
        "می\u200cخواهم",  # Persian, with a non-joiner
        "क्\u200dष",  # Hindi, with a joiner
        "契約ー（半角）ｶﾀｶﾅ",
        "👩\u200d👩\u200d👧",
        "a\u2028b",
    ],
)
def test_text_that_is_in_order_stays(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert repair(text) == text


def test_mending_twice_is_mending_once() -> None:
    every = "".join(map(chr, range(0x20000)))
    assert repair(repair(every)) == repair(every)
    assert unicodedata.is_normalized("NFC", repair(every))
