"""A document's text as a page shows it: without characters that steer, its direction, a query's words marked."""

import re
import unicodedata

from fieldtune.corpus.scripts import LETTERS
from fieldtune.retrieval.words import STOP_WORDS, paired, stem
from fieldtune.runtime.console import printable

_WORD = re.compile(f"[{LETTERS}]+")

Segments = list[tuple[str, bool]]  # pieces of a text in order, and if each is marked


def direction(text: str) -> str:
    """`rtl` or `ltr`, by the first letter that has a direction (rule P2 of Unicode's UAX #9)."""
    for character in text:
        if (kind := unicodedata.bidirectional(character)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def marked(text: str, query: str) -> Segments:
    """Cut a text at the words that it shares with a query, whatever their English ending; stop words are not marked.

    In scripts without spaces between words, and in Korean, pairs of neighbouring characters are compared.
    """
    plain = printable(text)
    wanted = {stem(word) for word in _WORD.findall(paired(query).lower()) if word not in STOP_WORDS}
    places = [False] * len(plain)
    for match in _WORD.finditer(plain):
        start, end = match.span()
        if stem(match[0]) in wanted and match[0].lower() not in STOP_WORDS:
            places[start:end] = [True] * (end - start)
        elif not match[0].isascii():
            for at in range(start, end - 1):
                pair = plain[at : at + 2]
                if stem(pair) in wanted and paired(pair).strip() == pair and paired(f"{pair}{pair}") != f"{pair}{pair}":
                    places[at : at + 2] = [True, True]
    segments: Segments = []
    start = 0
    for at in range(1, len(plain) + 1):
        if at == len(plain) or places[at] != places[start]:
            segments.append((plain[start:at], places[start]))
            start = at
    return segments
