"""Plain text, and the encodings that text comes in."""

import codecs
import contextlib
import re
from pathlib import Path

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.formats.writing import fenced
from stages.ingest.language import guess
from stages.ingest.sections import plain_section

# Encodings from before Unicode. The Latin ones are hard to tell apart.
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257")
_OTHERS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949")
# What web pages that declare these really hold (WHATWG's table).
_MAC = "mac_roman"
_CLEARER = 0.3  # of a probability: by how much a language must be likelier in the rarer encoding
_COLOURS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")  # of terminals
_DECLARED = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}


def read(path: Path, source: str, _: Fields) -> Content:
    return plain_section(source, text_of(path), repair(path.stem)), {}


def read_code(path: Path, source: str, _: Fields) -> Content:
    """Source code as one section of fenced code, under the file's whole name."""
    return plain_section(source, fenced(text_of(path), path.suffix[1:].lower()), repair(path.name)), {}


def text_of(path: Path) -> str:
    """The repaired text of a file in whatever encoding. Raises UnreadableError where it is binary."""
    return repair(_COLOURS.sub("", decoded(path.read_bytes())))


def decoded(data: bytes, declared: str | None = None) -> str:
    """Text of bytes: as their mark or UTF-8 has it, otherwise as declared or by a guess. Raises UnreadableError."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not is_utf16:
        raise UnreadableError("binary, not text")
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    if b"\0" in data:
        raise UnreadableError("binary, not text")
    if declared:
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            name = codecs.lookup(declared).name
            return data.decode(_DECLARED.get(name, name))
    # A few wrong bytes do not make it another encoding.
    loose = data.decode("utf-8", errors="replace")
    if 10 * loose.count("\ufffd") < len(loose) - len(loose.encode("ascii", errors="ignore")):
        return loose
    return _guessed(data)


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data, cp_isolation=[*_LATIN, *_OTHERS]).best()
    if best is None:
        raise UnreadableError("binary, not text")
    if best.encoding not in (*_LATIN, _MAC):
        return str(best)

    def likely(encoding: str) -> float:
        lines = data.decode(encoding, errors="replace").split("\n")
        return guess(" ".join(line for line in lines if not line.isascii()))[1]

    # Which of the Latin encodings makes a language of it.
    best_latin = max(_LATIN, key=likely)
    if likely(_MAC) > likely(best_latin) + _CLEARER:
        return data.decode(_MAC)
    return data.decode(best_latin, errors="replace")
