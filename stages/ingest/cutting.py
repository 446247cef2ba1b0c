"""Sections → passages that fit the encoder, cut at sentence borders."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from semchunk.semchunk import chunk

from stages.ingest.sections import Section
from stages.text import section_hash

_SPECIAL_TOKENS = 2  # that the encoder puts around each text
_LARGEST_TITLE = 0.5  # share of the limit; the end of a longer title gives way to the text


def passages(
    sections: Iterable[Section], count_tokens: Callable[[str], int], max_tokens: int
) -> Iterator[dict[str, Any]]:
    """Cut each section into rows of passages.jsonl: id, source, section, title, text, section_sha256.

    `count_tokens` counts without special tokens; two of them are allowed for. A piece with its title has at most
    `max_tokens`; pieces are cut at the widest break that fits (blank line, line, sentence, clause, word).
    The sections of one source come one after another.
    """

    def cut(text: str, size: int) -> list[str]:
        pieces: Any = chunk(text, size, count_tokens, memoize=False)  # a list, without its option `offsets`
        return list(pieces)

    for _, of_source in itertools.groupby(sections, key=lambda section: section.source):
        together = list(of_source)
        slugs = {section.slug for section in together}
        for section in together:
            title = cut(section.title, int(max_tokens * _LARGEST_TITLE))[0]
            room = max_tokens - _SPECIAL_TOKENS - count_tokens(title)
            for number, piece in enumerate(cut(section.text, room), start=1):
                name = section.slug if number == 1 else f"{section.slug}-{number}"
                if number > 1 and name in slugs:  # "Step", cut in two, beside "Step 2"
                    name = f"{section.slug}~1-{number}"
                yield {
                    "id": f"{section.source}#{name}",
                    "source": section.source,
                    "section": section.section,
                    "title": title,
                    "text": piece,
                    "section_sha256": section_hash(section.text),
                }
