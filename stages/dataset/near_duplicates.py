"""Which passages, and which sections, are copies of one another."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from stages.ranking import nearest

_NEIGHBOURS = 20  # per passage, among which copies are looked for
_SHINGLE = 3  # words

Pairs = set[tuple[int, int]]


def passage_copies(texts: Sequence[str], vectors: npt.NDArray[np.float32], cosine: float, overlap: float) -> Pairs:
    """Pairs (i < j) of passages with the same words, or whose vectors and three-word shingles nearly agree.

    `cosine` is the least similarity of a pair of `vectors` to be compared at all, `overlap` the least Jaccard
    index of their shingles. Chains of exact copies come as neighbouring pairs.
    """
    pairs: Pairs = set()
    same: dict[str, int] = {}
    for number, text in enumerate(texts):
        words = " ".join(_words(text))
        if words in same:
            pairs.add((same[words], number))
        same[words] = number
    found, scores = nearest(vectors, vectors, _NEIGHBOURS + 1)
    close = {
        (min(i, j), max(i, j))
        for i, (row, values) in enumerate(zip(found.tolist(), scores.tolist(), strict=True))
        for j, score in zip(row, values, strict=True)
        if i != j and score >= cosine
    }
    return pairs | similar(texts, close, overlap)


def similar(texts: Sequence[str], pairs: Iterable[tuple[int, int]], overlap: float) -> Pairs:
    """Those of the pairs whose texts' three-word shingles have a Jaccard index of at least `overlap`."""
    shingles: dict[int, set[tuple[str, ...]]] = {}

    def of(number: int) -> set[tuple[str, ...]]:
        if number not in shingles:
            words = _words(texts[number])
            shingles[number] = {tuple(words[k : k + _SHINGLE]) for k in range(max(1, len(words) - _SHINGLE + 1))}
        return shingles[number]

    return {(i, j) for i, j in pairs if len(of(i) & of(j)) >= overlap * len(of(i) | of(j))}


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


def members(cluster_of: Sequence[int]) -> dict[int, list[int]]:
    """Each cluster with its members."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, cluster in enumerate(cluster_of):
        found[cluster].append(number)
    return dict(found)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
