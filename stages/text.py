"""What is seen of a passage, where sentences end, and how texts are compared: by hash, and by word stems."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_STOP_WORDS = frozenset(
    ("a", "an", "the", "to", "of", "for", "in", "on", "and", "or", "with", "from", "by", "your", "that", "is", "are")
)
# What words are made of, for use inside `[…]`: `\w` leaves out the vowel signs of Hindi, Thai and others.
LETTERS = r"\w" + "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c).startswith("M"))
SENTENCE_END = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])\s*|\n+")
_WORD = re.compile(f"[{LETTERS}]+")


def passage_text(passage: Mapping[str, Any]) -> str:
    """What the encoder, and BM25, see of a row of passages.jsonl; the encoder's length limit counts all of it."""
    return f"{passage['title']}\n{passage['text']}"


def section_hash(text: str) -> str:
    """16 hex digits that stand for a section's text, whatever its white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def stem(word: str) -> str:
    """A word without its English ending, crudely: `copies`, `copied` and `copying` need only meet often enough."""
    word = word.lower()
    for ending in ("ies", "es", "s", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word.rstrip("e")


def overlap(query: str, heading: str) -> float:
    """The share of a heading's word stems (stop words aside) that the query repeats, 0 to 1."""
    in_heading, in_query = (
        {stem(word) for word in _WORD.findall(text.lower().replace("_", " ")) if word not in _STOP_WORDS}
        for text in (heading, query)
    )
    return len(in_heading & in_query) / len(in_heading) if in_heading else 0.0
