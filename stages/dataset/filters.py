"""Which generated queries are kept."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def normalised(query: str) -> str:
    """A query without case and spare white space, to find repeats."""
    return " ".join(query.casefold().split())


def keep(
    queries: Sequence[str],
    sections: Sequence[int],
    rankings: Sequence[npt.NDArray[np.int64]],
    top: int,
    real: Sequence[str],
) -> tuple[list[int], dict[str, int]]:
    """The rows of the queries that are kept, and how many were dropped for each reason.

    `sections` has each query's own section, `rankings` some systems' ranked sections, [queries, depth]. Dropped
    are: repeats for one section; the same words for several sections (no passage is *the* answer); words of a
    real query (it would no longer be unseen); and those that no system answers with their own section among the
    first `top` (round trip: Promptagator, arXiv:2209.11755).
    """
    owners: dict[str, set[int]] = defaultdict(set)
    for query, section in zip(queries, sections, strict=True):
        owners[normalised(query)].add(section)
    known = {normalised(query) for query in real}
    dropped: Counter[str] = Counter()
    kept: list[int] = []
    seen: set[tuple[str, int]] = set()
    for row, (query, section) in enumerate(zip(queries, sections, strict=True)):
        words = normalised(query)
        if (words, section) in seen:
            dropped["repeated"] += 1
        elif len(owners[words]) > 1:
            dropped["ambiguous"] += 1
        elif words in known:
            dropped["same_as_a_real_query"] += 1
        elif not any(section in ranking[row, :top] for ranking in rankings):
            dropped["round_trip"] += 1
        else:
            kept.append(row)
        seen.add((words, section))
    reasons = ("repeated", "ambiguous", "same_as_a_real_query", "round_trip")
    return kept, {reason: dropped[reason] for reason in reasons}
