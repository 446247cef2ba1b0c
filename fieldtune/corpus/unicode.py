"""Unicode as a search needs it: one spelling for what reads the same."""

import re
import unicodedata

_BREAKS = "\r\v\f\x1c\x1d\x1e\x85"
_BLANKS = "\u00a0\u2007\u202f"  # those that do not break
# Soft hyphens, zero-width blanks, control characters, halves of characters (which no file can hold). The zero-width
# joiner and non-joiner stay: words of Persian and Hindi are spelled with them.
_UNSEEN = "\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ud800-\udfff"
# What PDFs have for plain letters: ligatures, Arabic letters by their shape, the radicals of Chinese characters.
_SHAPES = "\u2f00-\u2fd5\ufb00-\ufb06\ufb50-\ufdff\ufe80-\ufefc"
_ODD = re.compile(f"[{_BREAKS}{_BLANKS}{_UNSEEN}{_SHAPES}]")  # one class for all: the pass over the text is what costs
_PLAIN = dict.fromkeys(_BREAKS, "\n") | dict.fromkeys(_BLANKS, " ")
_SHAPE = re.compile(f"[{_SHAPES}]")


def repair(text: str) -> str:
    """Text in Unicode's form NFC, without what is only there for print; its lines end in a newline."""
    return unicodedata.normalize("NFC", _ODD.sub(_plain, text.replace("\r\n", "\n")))


def _plain(match: re.Match[str]) -> str:
    odd = match[0]
    return unicodedata.normalize("NFKC", odd) if _SHAPE.match(odd) else _PLAIN.get(odd, "")


def normalised(query: str) -> str:
    """A query without case and spare white space, to find repeats."""
    return " ".join(query.casefold().split())
