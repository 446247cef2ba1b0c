"""Which sections are for training, which choose the checkpoint, which are held out."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence

from stages.dataset.near_duplicates import clusters

_LEAST_HELD_OUT = 10  # documents on a side: of fewer no mean is sure
_LARGEST_DOCUMENT = 0.1  # of the sections
_LEAST_DEV = 40  # sections: with fewer, dev cannot tell a good model from a lucky one
_MOST_FOR_LEAST_DEV = 0.15  # of all sections


def groups(sources: Sequence[str], copies: set[tuple[int, int]], smallest_side: float) -> tuple[list[int], bool]:
    """The split group of each section, and whether whole documents are kept together.

    `sources` has each section's document; `copies` pairs sections that hold copies of one another; `smallest_side` is
    the share of the smaller of dev and test. A group is a cluster of copies; where there are many documents of like
    size, copies and documents together. With few documents the verdict would rest on two or three of them.
    """
    sizes = Counter(sources)
    enough = smallest_side * len(sizes) >= _LEAST_HELD_OUT
    whole = enough and max(sizes.values()) <= _LARGEST_DOCUMENT * len(sources)
    pairs = set(copies)
    if whole:
        last: dict[str, int] = {}
        for number, source in enumerate(sources):
            if source in last:
                pairs.add((last[source], number))
            last[source] = number
    return clusters(len(sources), pairs), whole


def split(
    group_of: Sequence[int],
    names: Sequence[str],
    dev: float,
    test: float,
    seed: int,
    for_training: Collection[int] = (),
) -> list[str]:
    """`train`, `dev` or `test` for each section, whole groups on one side; the groups `for_training` are `train`.

    `names` are the sections' ids, `dev` and `test` shares of them. Groups come in the order of the hash of `seed` and
    their first section's name, so that more documents leave nearly all sections where they were; each goes where it
    fits: test, dev, else train. Where the shares are less than the smallest group, they are one such group. Where
    `dev` of few sections is too little to choose by, it is as many as it takes, up to 15 %.
    """
    names_of: dict[int, list[str]] = {}
    for group, name in zip(group_of, names, strict=True):
        names_of.setdefault(group, []).append(name)
    draw = {g: hashlib.sha256(f"{seed}\n{min(members)}".encode()).hexdigest() for g, members in names_of.items()}
    least = min((len(members) for g, members in names_of.items() if g not in for_training), default=0)
    enough = min(_LEAST_DEV, _MOST_FOR_LEAST_DEV * len(names))
    room = {"test": max(test * len(names), least), "dev": max(dev * len(names), least, enough)}
    side: dict[int, str] = {}
    for group in sorted(names_of, key=lambda g: draw[g]):
        if group in for_training:
            side[group] = "train"
            continue
        size = len(names_of[group])
        side[group] = next((name for name, left in room.items() if size <= left), "train")
        if side[group] in room:
            room[side[group]] -= size
    return [side[group] for group in group_of]
