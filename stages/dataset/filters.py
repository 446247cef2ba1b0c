"""Reasons to drop generated queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.unicode import normalised
from stages.dataset.queries import TrainingQuery

REASONS = ("ambiguous", "repeated", "same_as_a_real_query", "round_trip")  # in this order; the first that fits counts


def drop_reasons(
    queries: Sequence[TrainingQuery],
    rankings: Sequence[npt.NDArray[np.int64]],
    top: int,
    real: Iterable[str],
) -> dict[int, str]:
    """The rows of the queries that are dropped, each with its reason, one of REASONS.

    `rankings` are the ranked sections of several systems, [queries, depth], `real` the texts of real queries. Dropped
    are: queries with the same words for sections that do not answer one another (no passage is *the* answer); repeats;
    the words of a real query (it would no longer be unseen); and, unless `top` is 0, queries that no system answers
    among its first `top` (round trip: Promptagator, arXiv:2209.11755).
    """
    words_of = [normalised(query.text) for query in queries]
    sections: dict[str, set[int]] = defaultdict(set)
    for words, query in zip(words_of, queries, strict=True):
        sections[words].add(query.section)
    known = {normalised(query) for query in real}
    dropped: dict[int, str] = {}
    seen: set[str] = set()
    for row, (words, query) in enumerate(zip(words_of, queries, strict=True)):
        if not sections[words] <= query.answers:
            dropped[row] = "ambiguous"
        elif words in seen:
            dropped[row] = "repeated"
        elif words in known:
            dropped[row] = "same_as_a_real_query"
        elif top and all(query.answers.isdisjoint(ranking[row, :top].tolist()) for ranking in rankings):
            dropped[row] = "round_trip"
        seen.add(words)
    return dropped
