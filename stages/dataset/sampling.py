"""A random sample of a list that is too long to look at."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, in their order; drawn, since every nth might be of one kind."""
    if len(items) <= count:
        return list(items)
    return [items[place] for place in sorted(random.Random(0).sample(range(len(items)), count))]
