"""Which generated queries are kept."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def normalised(query: str) -> str:
    """A query without case and spare white space, to find repeats."""
    return " ".join(query.casefold().split())


def keep(
    queries: Sequence[str],
    sections: Sequence[int],
    answers: Sequence[set[int]],
    rankings: Sequence[npt.NDArray[np.int64]],
    top: int,
    real: Sequence[str],
) -> tuple[list[int], dict[str, int]]:
    """The rows of the queries that are kept, and how many were dropped for each reason.

    `sections` has the section that each query was written for, `answers` that one and those with a copy of what
    answers it, `rankings` some systems' ranked sections, [queries, depth]. Dropped are: the same words for sections
    that do not answer one another (no passage is *the* answer); repeats; words of a real query (it would no longer
    be unseen); and those that no system answers among its first `top` (round trip: Promptagator, arXiv:2209.11755).
    """
    words = [normalised(query) for query in queries]
    owners: dict[str, set[int]] = defaultdict(set)
    for of, section in zip(words, sections, strict=True):
        owners[of].add(section)
    known = {normalised(query) for query in real}
    dropped = dict.fromkeys(("ambiguous", "repeated", "same_as_a_real_query", "round_trip"), 0)
    kept: list[int] = []
    seen: set[str] = set()
    for row, (of, right) in enumerate(zip(words, answers, strict=True)):
        if not owners[of] <= right:
            dropped["ambiguous"] += 1
        elif of in seen:
            dropped["repeated"] += 1
        elif of in known:
            dropped["same_as_a_real_query"] += 1
        elif all(right.isdisjoint(ranking[row, :top].tolist()) for ranking in rankings):
            dropped["round_trip"] += 1
        else:
            kept.append(row)
        seen.add(of)
    return kept, dropped
