"""Sections → passages that fit the encoder, cut at sentence borders."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from semchunk.semchunk import chunk

from stages.ingest.sections import Section
from stages.text import section_hash

# A title must leave room for the text: beyond this share of the limit it is the reader's problem, not the cutter's.
_LEAST_ROOM = 0.5


def passages(
    sections: Iterable[Section], count_tokens: Callable[[str], int], max_tokens: int
) -> Iterator[dict[str, Any]]:
    """Cut each section into rows of passages.jsonl: id, source, section, title, text, section_sha256.

    `count_tokens` counts without special tokens; two of them are allowed for. A piece with its title has at most
    `max_tokens`; pieces are cut at the widest break that fits (blank line, line, sentence, clause, word).
    """
    for section in sections:
        room = max(max_tokens - 2 - count_tokens(section.title), int(max_tokens * _LEAST_ROOM))
        pieces = chunk(section.text, chunk_size=room, token_counter=count_tokens, memoize=False)
        for number, piece in enumerate(pieces, start=1):
            yield {
                "id": f"{section.source}#{section.slug}" + (f"-{number}" if number > 1 else ""),
                "source": section.source,
                "section": section.section,
                "title": section.title,
                "text": piece,
                "section_sha256": section_hash(section.text),
            }
