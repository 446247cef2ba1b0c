"""What the number of training pairs lets a person expect."""

import math

_OVERFITS, _LEAST, _RELIABLE = 200, 500, 2000  # pairs


def size_guidance(pairs: int, passages: int) -> str:
    """A sentence on the size of the training set; it names how many more passages need queries.

    `passages` counts those with queries, on any side: so many gave `pairs` training pairs.
    """
    if pairs >= _RELIABLE:
        return f"reliable: {pairs:,} training pairs, {_RELIABLE:,} or more are enough"
    more = math.ceil((_RELIABLE - pairs) * passages / pairs)
    advice = f"queries for about {more:,} more passages would make it {_RELIABLE:,}"
    if pairs >= _LEAST:
        return f"enough to learn from: {pairs:,} training pairs; {advice}"
    if pairs >= _OVERFITS:
        return f"few: {pairs:,} training pairs, {_LEAST} are the least for a result to trust; {advice}"
    return f"too few: {pairs:,} training pairs, under {_OVERFITS} expect overfitting; {advice}"
