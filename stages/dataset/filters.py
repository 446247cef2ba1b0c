"""Which generated queries are kept."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.unicode import normalised

REASONS = ("ambiguous", "repeated", "same_as_a_real_query", "round_trip")  # in this order; the first that fits counts


def keep(
    queries: Sequence[str],
    sections: Sequence[int],
    answers: Sequence[set[int]],
    rankings: Sequence[npt.NDArray[np.int64]],
    top: int,
    real: Sequence[str],
) -> dict[int, str]:
    """The rows of the queries that are dropped, each with its reason, one of REASONS.

    `sections` has the section that each query was written for, `answers` that one and those with a copy of what
    answers it, `rankings` some systems' ranked sections, [queries, depth]. Dropped are: the same words for sections
    that do not answer one another (no passage is *the* answer); repeats; words of a real query (it would no longer
    be unseen); and, but where `top` is 0, those that no system answers among its first `top` (round trip:
    Promptagator, arXiv:2209.11755).
    """
    words = [normalised(query) for query in queries]
    owners: dict[str, set[int]] = defaultdict(set)
    for of, section in zip(words, sections, strict=True):
        owners[of].add(section)
    known = {normalised(query) for query in real}
    dropped: dict[int, str] = {}
    seen: set[str] = set()
    for row, (of, right) in enumerate(zip(words, answers, strict=True)):
        if not owners[of] <= right:
            dropped[row] = "ambiguous"
        elif of in seen:
            dropped[row] = "repeated"
        elif of in known:
            dropped[row] = "same_as_a_real_query"
        elif top and all(right.isdisjoint(ranking[row, :top].tolist()) for ranking in rankings):
            dropped[row] = "round_trip"
        seen.add(of)
    return dropped
