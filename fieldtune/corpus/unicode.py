"""Unicode as a search needs it: one spelling for text that reads the same."""

import re
import unicodedata

_BREAKS = "\r\v\f\x1c\x1d\x1e\x85"
_BLANKS = "\u00a0\u2007\u202f"  # non-breaking spaces
# Soft hyphens, zero-width spaces, control characters, lone surrogates (which no file can hold). The zero-width
# joiner and non-joiner stay: Persian and Hindi words are spelled with them.
_UNSEEN = "\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ud800-\udfff"
# PDFs' substitutes for plain letters: ligatures, Arabic presentation forms, Chinese radicals.
_SHAPES = "\u2f00-\u2fd5\ufb00-\ufb06\ufb50-\ufdff\ufe80-\ufefc"
_ODD = re.compile(f"[{_BREAKS}{_BLANKS}{_UNSEEN}{_SHAPES}]")  # one class for all: the pass over the text is the cost
_PLAIN = dict.fromkeys(_BREAKS, "\n") | dict.fromkeys(_BLANKS, " ")
_SHAPE = re.compile(f"[{_SHAPES}]")


def repair(text: str) -> str:
    """Text in Unicode's form NFC, without what only print needs; its lines end in a newline."""
    return unicodedata.normalize("NFC", _ODD.sub(_plain, text.replace("\r\n", "\n")))


def _plain(match: re.Match[str]) -> str:
    odd = match[0]
    return unicodedata.normalize("NFKC", odd) if _SHAPE.match(odd) else _PLAIN.get(odd, "")


def normalised(query: str) -> str:
    """A query in one case and without extra white space, to find repeats."""
    return " ".join(query.casefold().split())
