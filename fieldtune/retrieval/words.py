"""The words of a text: those that BM25 matches, and how much of a heading a query repeats."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise, permutations
from typing import Any

from fieldtune.corpus.scripts import LETTERS, MARKS, NO_BLANKS

STOP_WORDS = frozenset(
    ("a", "an", "the", "to", "of", "for", "in", "on", "and", "or", "with", "from", "by", "your", "that", "is", "are")
)
_WITHOUT_BLANKS = re.compile(f"[{NO_BLANKS}]")
_WORD = re.compile(f"[{LETTERS}]+")
_WORD_OR_CHARACTER = re.compile(f"(?=[{LETTERS}])[{NO_BLANKS}]|(?:(?![{NO_BLANKS}])[{LETTERS}])+")
# Korean has spaces, but its particles are attached to its words, so that whole words rarely match.
_IN_PAIRS = f"{NO_BLANKS}\u3131-\u318e\uac00-\ud7a3"
_CHARACTER = f"(?=[{LETTERS}])[{_IN_PAIRS}][{MARKS}]*"
_CHARACTERS = re.compile(_CHARACTER)
_LAST_CHARACTER = re.compile(f"{_CHARACTER}\\Z")
_RUN = re.compile(f"(?:{_CHARACTER})+")
_BM25_WORD = f"[{LETTERS}]{{2,}}|{_CHARACTER}"  # in other scripts no single letters, as in bm25s
_BM25_WORDS = re.compile(_BM25_WORD)
_ASCII_WORDS = re.compile(r"\w{2,}", re.ASCII)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; in scripts without spaces between words each character is one."""
    folded = text.casefold()
    without_blanks = not folded.isascii() and _WITHOUT_BLANKS.search(folded)
    return (_WORD_OR_CHARACTER if without_blanks else _WORD).findall(folded)


def paired(text: str, singles: bool = False) -> str:
    """The text with pairs of neighbouring characters as words in scripts without spaces, and in Korean, as in Lucene's
    CJKAnalyzer; a character that stands alone stays. `singles`: with each character beside the pairs.
    """
    if text.isascii():
        return text

    def pairs(run: re.Match[str]) -> str:
        characters = _CHARACTERS.findall(run[0])
        two = [left + right for left, right in pairwise(characters)]
        return f" {' '.join(characters + two if singles else two or characters)} "

    return _RUN.sub(pairs, text)


def joined(words: list[str], text: str) -> list[str]:
    """Words of `paired(text)`, with overlapping ones joined: 检索, 模型, 索模 are 检索模型 if the text has it."""
    for left, right in permutations(words, 2):
        last = _LAST_CHARACTER.search(left)
        if last and right.startswith(last[0]) and (whole := left + right.removeprefix(last[0])) in text:
            return joined([whole if word == left else word for word in words if word != right], text)
    return words


def bm25_words_of(text: str) -> list[str]:
    """The words of one text as `bm25_words` has them without stop words and stemmer."""
    if text.isascii():
        return _ASCII_WORDS.findall(text.lower())  # the same in half the time
    return _BM25_WORDS.findall(paired(text, singles=True).lower())


def bm25_words(texts: Iterable[str], **options: Any) -> Any:
    """The words of texts from bm25s.tokenize with its `options`; in scripts without spaces characters, which people
    search for, too, and pairs of them.
    """
    import bm25s

    spaced = [paired(text, singles=True) for text in texts]
    return bm25s.tokenize(spaced, token_pattern=_BM25_WORD, show_progress=False, **options)


def stem(word: str) -> str:
    """A word without its English ending, crudely: `copies`, `copied` and `copying` need only match often enough."""
    word = word.lower()
    for ending in ("ies", "es", "s", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word.rstrip("e")


def overlap(query: str, heading: str) -> float:
    """The share of a heading's word stems (stop words aside) that the query repeats, 0 to 1."""
    in_heading, in_query = (
        {stem(word) for word in _WORD.findall(paired(text).lower().replace("_", " ")) if word not in STOP_WORDS}
        for text in (heading, query)
    )
    return len(in_heading & in_query) / len(in_heading) if in_heading else 0.0


def heading_overlap(query: str, answers: Iterable[Mapping[str, Any]]) -> float:
    """The highest `overlap` with the heading of one of the passages that answer; 1 if there is none to repeat."""
    return max(overlap(query, heading) if (heading := _heading(answer)) else 1.0 for answer in answers)


def _heading(passage: Mapping[str, Any]) -> str:
    """The last heading above a passage, without the number of a repeated one; for a record its title."""
    is_record = passage["document"] != passage["source"]
    return str(passage["title"]) if is_record else re.sub(r"~\d+$", "", passage["section"])
