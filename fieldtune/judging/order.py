"""The order in which queries are judged: near copies once, and those first that represent the log."""

import hashlib
from collections.abc import Sequence

from fieldtune.corpus.style import choose_examples
from fieldtune.corpus.unicode import normalised
from fieldtune.retrieval import near_duplicates
from fieldtune.retrieval.near_duplicates import Pairs, clusters, union
from fieldtune.retrieval.words import STOP_WORDS, stem, words_of

FIRST = 50  # queries that are spread over the log
_OVERLAP = 0.8  # of the three-word shingles of two long queries


def order(queries: Sequence[str]) -> list[str]:
    """The queries to judge, in their order.

    Of near copies the first is judged. If more than fifty remain, the first fifty are spread over lengths, openings and
    words (`choose_examples`); the others follow in the order of a hash, so that whenever a person stops, a sample of
    the log is judged. Fewer stay in the order of the table.
    """
    first_spelling: dict[str, str] = {}
    for query in queries:
        first_spelling.setdefault(normalised(query), query)
    distinct = list(first_spelling.values())
    cluster_of = clusters(len(distinct), near_copies(distinct))
    kept = [query for number, query in enumerate(distinct) if cluster_of[number] == number]
    if len(kept) <= FIRST:
        return kept
    first = choose_examples(kept, FIRST)
    return [*first, *sorted(set(kept) - set(first), key=_draw)]


def near_copies(queries: Sequence[str]) -> Pairs:
    """Pairs of queries with the same words whatever their order, endings and stop words; of long ones, nearly the same.

    A single other word makes another query: `reset the lamp` is not `reset the door`.
    """
    bags = [
        " ".join(sorted({stem(word) for word in words_of(query) if word not in STOP_WORDS})) or query
        for query in queries
    ]
    return union(
        near_duplicates.exact_copies(near_duplicates.words(bags)),
        near_duplicates.near_copies(near_duplicates.words(queries), _OVERLAP),
    )


def _draw(query: str) -> str:
    return hashlib.sha256(normalised(query).encode()).hexdigest()
