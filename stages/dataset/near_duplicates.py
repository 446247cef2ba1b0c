"""Which texts are copies of one another."""

import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

_SHINGLE = 3  # words
_RECENT = 50  # texts compared per shared shingle: a template's thousand copies link up in chains, in linear time
_BITS = 21  # of a word's number, so that a shingle fits 63; past two million words numbers repeat, harmlessly

Pairs = set[tuple[int, int]]
Shingles = npt.NDArray[np.int64]  # of one text, sorted


def exact_copies(texts: Sequence[str]) -> Pairs:
    """Pairs (i < j) of texts with the same words; of several copies, neighbours."""
    pairs: Pairs = set()
    last: dict[tuple[str, ...], int] = {}
    for number, text in enumerate(texts):
        words = tuple(_words(text))
        if words in last:
            pairs.add((last[words], number))
        last[words] = number
    return pairs


def near_copies(texts: Sequence[str], overlap: float) -> Pairs:
    """Pairs (i < j) of texts whose three-word shingles have a Jaccard index of at least `overlap`.

    Two such texts share one of each's rarest shingles (prefix filter: Bayardo, Ma, Srikant 2007), so only those that
    do are compared. All pairs are found but in families of more than 50, whose members link up in chains.
    """
    pairs: Pairs = set()
    recent: dict[int, deque[int]] = defaultdict(lambda: deque(maxlen=_RECENT))
    shingles = _shingles(texts)
    for number, own in enumerate(shingles):
        rarest = own[: len(own) - math.ceil(overlap * len(own) - 1e-9) + 1].tolist()
        for other in {candidate for shingle in rarest for candidate in recent[shingle]}:
            shared = len(np.intersect1d(own, shingles[other], assume_unique=True))
            if shared / (len(own) + len(shingles[other]) - shared) >= overlap:
                pairs.add((other, number))
        for shingle in rarest:
            recent[shingle].append(number)
    return pairs


def clusters(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Join 0 … size-1 along the pairs: for each its cluster, named by the smallest member."""
    parent = list(range(size))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    return [root(i) for i in range(size)]


def _shingles(texts: Sequence[str]) -> list[Shingles]:
    """Each text's distinct three-word shingles, as numbers from the rarest to the most frequent."""
    numbers: dict[str, int] = {}
    packed = []
    for text in texts:
        words = [1 + numbers.setdefault(word, len(numbers)) % ((1 << _BITS) - 1) for word in _words(text)]
        words += [0] * (_SHINGLE - len(words))
        windows = np.lib.stride_tricks.sliding_window_view(np.array(words, dtype=np.int64), _SHINGLE)
        packed.append(np.unique(windows @ (1 << _BITS * np.arange(_SHINGLE))))
    if not packed:
        return []
    found, place, count = np.unique(np.concatenate(packed), return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((found, count))] = np.arange(len(found))
    borders = np.cumsum([len(row) for row in packed])[:-1]
    return [np.sort(row) for row in np.split(rank[place], borders)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower()) or text.split()
