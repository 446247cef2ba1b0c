"""Which sections are for training, which choose the checkpoint, which are held out."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from stages.dataset.near_duplicates import clusters

_LEAST_DOCUMENTS = 20  # fewer, or one with more than the next share of the sections: documents are split up
_LARGEST_DOCUMENT = 0.1


def groups(sources: Sequence[str], copies: set[tuple[int, int]]) -> tuple[list[int], bool]:
    """The split group of each section, and whether whole documents are kept together.

    `sources` has each section's document; `copies` pairs sections that hold copies of one another. A group is a
    cluster of copies; where there are many documents of like size, copies and documents together.
    """
    sizes = Counter(sources)
    whole = len(sizes) >= _LEAST_DOCUMENTS and max(sizes.values()) <= _LARGEST_DOCUMENT * len(sources)
    pairs = set(copies)
    if whole:
        last: dict[str, int] = {}
        for number, source in enumerate(sources):
            if source in last:
                pairs.add((last[source], number))
            last[source] = number
    return clusters(len(sources), pairs), whole


def split(group_of: Sequence[int], names: Sequence[str], dev: float, test: float, seed: int) -> list[str]:
    """`train`, `dev` or `test` for each section, whole groups on one side.

    `names` are the sections' ids. Groups are drawn by the hash of `seed` and their first section's name, so that
    more documents leave those that are there where they were, but for the rounding of `dev` and `test`, which
    are shares of the sections.
    """
    names_of: dict[int, list[str]] = {}
    for group, name in zip(group_of, names, strict=True):
        names_of.setdefault(group, []).append(name)
    draw = {g: hashlib.sha256(f"{seed}\n{min(members)}".encode()).hexdigest() for g, members in names_of.items()}
    side: dict[int, str] = {}
    taken = 0
    for group in sorted(names_of, key=lambda g: draw[g]):
        share = taken / len(names)
        side[group] = "test" if share < test else "dev" if share < test + dev else "train"
        taken += len(names_of[group])
    return [side[group] for group in group_of]
