"""Which sections answer the user's real queries."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from stages.ranking import Corpus
from stages.real_queries import RealQuery


def match(
    queries: Sequence[RealQuery], passages: Sequence[dict[str, Any]], corpus: Corpus
) -> tuple[list[list[int]], list[str]]:
    """The sections that answer each query, and the places that were named and are not in the corpus.

    A place is a source with a section's heading or slug, or a source alone: then every section of it answers.
    """
    by_place: dict[tuple[str, str], int] = {}
    by_source: dict[str, dict[int, None]] = defaultdict(dict)
    for passage, section in zip(passages, corpus.section_of.tolist(), strict=True):
        source = passage["source"]
        by_source[source][section] = None
        for name in (passage["section"], passage["id"].removeprefix(f"{source}#")):
            by_place.setdefault((source, name), section)
    answers: list[list[int]] = []
    unmatched: dict[str, None] = {}
    for query in queries:
        found: dict[int, None] = {}
        for source, section in query.answers:
            if not section and source in by_source:
                found |= by_source[source]
            elif (source, section) in by_place:
                found[by_place[source, section]] = None
            else:
                unmatched[f"{source} # {section}" if section else source] = None
        answers.append(list(found))
    return answers, list(unmatched)
