"""Writing systems: what words are made of, which scripts do not separate words, where sentences end."""

import re
import unicodedata

# Vowel signs of Hindi, Thai and others, which `\w` leaves out. For use inside `[…]`, as are the next two.
MARKS = "".join(c for c in map(chr, range(0x300, 0x10000)) if unicodedata.category(c).startswith("M"))
LETTERS = r"\w" + MARKS  # what words are made of
# Thai, Lao, Burmese, Khmer, Japanese and Chinese do not put spaces between words.
NO_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
SENTENCE_END = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])\s*|\n+")
NO_WORDS = "section"  # the slug of what has no words


def slug(heading: str) -> str:
    """A heading as a URL fragment: lower case, words joined by hyphens, letters of any script kept."""
    words = re.findall(f"[{LETTERS}]+", unicodedata.normalize("NFKC", heading).lower())
    return "-".join(words) or NO_WORDS
