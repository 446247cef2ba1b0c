"""Text that stands around the documents of many files: site headers, navigation, footers, licence notices.

A block of text is boilerplate where it stands in many files, and at the edge of this one, or of a page of it. What
repeats in the middle is the documents' own: "Example:", "Added in version 3.2." and "Not supported for directory
buckets." may stand on half of a manual's pages, and say something on each. For the same reason code and tables are
never boilerplate, nor is a line that ends with a colon above text that stays.
"""

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from stages.ingest.cutting import Block
from stages.ingest.cutting import blocks as markdown_blocks
from stages.ingest.sections import Section

_REACH = 100  # blocks from each edge that may be boilerplate
_LABEL = 80  # letters of what may stand between boilerplate: page titles, dates, breadcrumbs
# Letters outside links. Who would drop more has met copies or versions of one document, not what stands around many.
_LARGEST = 2000
_FILES_PER_PRUNING = 1000

_LINK = re.compile(r"!?\[(?P<words>[^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)")
_DIGITS = re.compile(r"\d+")
# Where a number tells no facts apart: a year beside the owner of a text, the page of a print, the day of a build.
_NO_FACT = re.compile(
    r"©|\(c\)|\bcopyright\b|all rights reserved"
    r"|^\W*(?:page|seite|página|pagina|sida|strona|folio)\s+\d+(?:\s*(?:/|of|von|de|di|av|z)\s*\d+)?\W*$|^[\W\d]*$",
    re.IGNORECASE,
)
_SENTENCE_ENDS = re.compile(r"[.!?:;؟।。！？：…][\"'”’)*_」』）]*$")

_Place = tuple[int, Block, str]  # the number of a section, a block of it, and the block's text


class Counts(dict[int, int]):
    """Hash of a block → the number of files that it is in, in bounded memory (Manku and Motwani 2002, lossy counting).

    What is in no more than one of 1000 files is forgotten now and then: a count is never too low, and too high by no
    more than one for each 1000 files; the first 1000 are counted exactly.
    """

    files = 0

    def add(self, of_file: set[int]) -> None:
        """Count the blocks of one more file."""
        forgotten = self.files // _FILES_PER_PRUNING
        for block in of_file:
            self[block] = self.get(block, forgotten) + 1
        self.files += 1
        if self.files % _FILES_PER_PRUNING == 0:
            for block in [block for block, count in self.items() if count <= forgotten + 1]:
                del self[block]


def blocks(sections: Sequence[Section]) -> set[int]:
    """64-bit hashes of the blocks of one file that may be boilerplate, the same in every run.

    Case, white space and where links lead make no difference, nor do the numbers of copyright lines and pages. Records
    (sections that name their document) have no such blocks.
    """
    edges = itertools.chain.from_iterable(page[:_REACH] + page[-_REACH:] for page in _pages(sections))
    return {_hash(_words(text)) for _, block, text in edges if block.kind == "prose"}


def repeated(counts: Mapping[int, int], files: int, share: float, at_least: int) -> frozenset[int]:
    """The blocks that stand in at least this share (0 to 1) of the files, and in at least so many files."""
    return frozenset(block for block, count in counts.items() if count >= max(share * files, at_least))


def strip_boilerplate(sections: Sequence[Section], repeated: frozenset[int]) -> tuple[list[Section], int]:
    """Drop the boilerplate of one file: the sections that stay, and how many blocks were dropped.

    A file of which nothing would be left, or that would lose long text, is a copy of others, and stays as it is.
    """
    pages = _pages(sections)
    frame: set[_Place] = set()
    longest = 0  # letters of boilerplate on one page
    for page in pages:
        of_page = _frame(page[:_REACH], 1, repeated) | _frame(page[-_REACH:], -1, repeated)
        longest = max(longest, _letters(of_page))
        frame |= of_page
    if longest > _LARGEST or _letters(frame) > max(_LARGEST, _letters(itertools.chain(*pages)) / 2):
        return list(sections), 0
    texts = {index: sections[index].text for index, _, _ in frame}
    for index, block, _ in sorted(frame, reverse=True):
        texts[index] = texts[index][: block.start] + texts[index][block.end :]
    changed = [
        dataclasses.replace(section, text=texts[index].strip()) if index in texts else section
        for index, section in enumerate(sections)
    ]
    left = [section for index, section in enumerate(changed) if section.text or index not in texts]
    return (left, len(frame)) if left else (list(sections), 0)


def _pages(sections: Sequence[Section]) -> list[list[_Place]]:
    """The blocks of a file, in order; form feeds, which PDF readers leave, end a page."""
    pages: list[list[_Place]] = [[]]
    for index, section in enumerate(sections):
        if section.document:
            continue
        for block in markdown_blocks(section.text):
            text = section.text[block.start : block.end]
            if "\f" in text[: len(text) - len(text.lstrip())]:
                pages.append([])
            pages[-1].append((index, block, text))
            if "\f" in text[len(text.rstrip()) :]:
                pages.append([])
    return pages


def _frame(edge: list[_Place], step: int, repeated: frozenset[int]) -> set[_Place]:
    """The boilerplate of an edge, from above (step 1) or from below (-1).

    It reaches to the first sentence, code or table that is the document's own.
    """
    frame: set[_Place] = set()
    seen: list[_Place] = []
    for place in edge[::step]:
        seen.append(place)
        _, block, text = place
        words = _words(text)
        if _hash(words) in repeated:
            frame.add(place)
        elif block.kind != "prose" or len(words) > _LABEL or _SENTENCE_ENDS.search(words):
            break
    for place, below in reversed(list(itertools.pairwise(seen[::step]))):
        if below not in frame and place[2].rstrip().endswith((":", "：")):
            frame.discard(place)
    return frame


def _letters(places: Iterable[_Place]) -> int:
    """Letters outside links."""
    return sum(len(_LINK.sub("", _LINK.sub("", text))) for _, _, text in places)


def _words(text: str) -> str:
    """The words of a block that are compared: with its numbers, which tell one fact from another, except those of
    links, copyright lines and page numbers.
    """
    if "](" in text:
        for _ in range(2):  # links around images
            text = _LINK.sub(lambda link: _DIGITS.sub("0", link["words"]), text)
    lines = (_DIGITS.sub("0", line) if _NO_FACT.search(line) else line for line in text.splitlines())
    return " ".join(" ".join(lines).casefold().split())


def _hash(words: str) -> int:
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest())
