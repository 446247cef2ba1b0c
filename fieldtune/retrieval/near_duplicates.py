"""Exact and near copies among texts.

Written here because a missed copy ends up in two splits. MinHash with LSH takes as long for 100,000 passages (rensa,
10 s either way) and misses 7% of the sample's 897 pairs with 16 bands and 22% with its 8 (datasketch 13%, in ten
times the time). Vectors alone (semhash at a cosine of 0.9) miss two thirds of them, those with other titles, and
find as many pairs that are not copies.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count, pairwise

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.words import words_of

_RECENT = 50  # texts compared per shared shingle: a template's thousand copies link up in chains, in linear time
_BITS = 21  # of a word's number, so that a shingle fits in 63; past two million words numbers repeat, harmlessly
_PARTS = 31  # of all shingles, counted one by one to save memory; 2^21 is 2 modulo 31, so each word matters
_BATCH = 1 << 22  # shingles of texts that are compared at once
_LOW = (1 << 32) - 1  # the lower of two numbers that are stored, and sorted, as one

Integers = npt.NDArray[np.int64]
Pairs = Integers  # [pairs, 2]: i < j, sorted, each pair once
_NONE: Integers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Words:
    """The words of texts, as numbers that are equal where the words are."""

    numbers: npt.NDArray[np.int32]  # of all texts, one after the other
    starts: Integers  # [texts + 1]: where each text begins, and where the last one ends

    def __len__(self) -> int:
        return len(self.starts) - 1

    def joined(self, whole_of: Integers) -> "Words":
        """Join pieces into whole texts, in order; `whole_of` [texts] is the number of each one's whole, from 0."""
        order = np.argsort(whole_of, kind="stable")
        borders = zip(self.starts[order].tolist(), self.starts[order + 1].tolist(), strict=True)
        numbers = np.concatenate([self.numbers[:0], *(self.numbers[start:end] for start, end in borders)])
        return Words(numbers, _borders(np.bincount(whole_of, np.diff(self.starts)).astype(np.int64)))


def words(texts: Iterable[str]) -> Words:
    """Cut texts into words, ignoring case.

    In scripts without spaces between words each character is one. A text of signs alone is cut at its spaces.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    flat, starts = array("i"), array("q", [0])
    for text in texts:
        flat.extend(map(numbers.__getitem__, words_of(text) or text.lower().split()))
        starts.append(len(flat))
    return Words(np.array(flat, dtype=np.int32), np.array(starts, dtype=np.int64))


def exact_copies(texts: Words) -> Pairs:
    """Pairs of texts with the same words; of several copies, neighbours."""
    pairs = []
    last: dict[bytes, int] = {}
    for number, (start, end) in enumerate(pairwise(texts.starts.tolist())):
        digest = blake2b(texts.numbers[start:end].tobytes(), digest_size=16).digest()
        if digest in last:
            pairs.append((last[digest], number))
        last[digest] = number
    return union(np.array(pairs, dtype=np.int64).reshape(-1, 2))


def near_copies(texts: Words, overlap: float) -> Pairs:
    """Pairs of texts whose three-word shingles have a Jaccard index of at least `overlap`.

    Two such texts share one of each's rarest shingles (prefix filter: Bayardo, Ma, Srikant 2007), so only those that
    do are compared. All pairs are found except in families of more than 50, whose members link up in chains. A text
    without words is in no pair. Memory: 20 to 30 bytes per word, plus the pairs.
    """
    shingles = _shingles(texts)
    return union(*(pairs[_jaccard(shingles, pairs) >= overlap] for pairs in _candidates(shingles, overlap)))


def union(*parts: Pairs) -> Pairs:
    """The pairs of all parts, sorted, each once."""
    first, second = np.concatenate([_NONE.reshape(0, 2), *parts]).T
    both = _distinct(first << 32 | second)
    return np.stack([both >> 32, both & _LOW], axis=1)


def clusters(size: int, pairs: Pairs | Iterable[tuple[int, int]]) -> list[int]:
    """Join 0 … size-1 along the pairs: for each its cluster, named by the smallest member."""
    apart = np.array(pairs if isinstance(pairs, np.ndarray) else list(pairs), dtype=np.int64).reshape(-1, 2)
    root = np.arange(size)
    while len(apart):
        # Each root goes below the smallest one that it is paired with; then all point at their roots again.
        ends = np.sort(root[apart], axis=1)
        np.minimum.at(root, ends[:, 1], ends[:, 0])
        while not np.array_equal(root, above := root[root]):
            root = above
        apart = apart[root[apart[:, 0]] != root[apart[:, 1]]]
    named: list[int] = root.tolist()
    return named


@dataclass(frozen=True)
class _Shingles:
    """The distinct shingles of texts; shingles of one text only are just counted."""

    sizes: Integers  # [texts]: how many each has
    starts: Integers  # [texts + 1]: where its part of `shared` begins
    shared: npt.NDArray[np.int32]  # those that another text has, too: numbers, of each text from its rarest on


def _shingles(texts: Words) -> _Shingles:
    codes, part_of = _codes(texts)
    text_of = np.repeat(np.arange(len(texts), dtype=np.int32), np.diff(texts.starts))
    sizes = np.zeros(len(texts), dtype=np.int64)
    holders, frequencies = [], []
    known = 0
    for part in range(_PARTS):
        places = np.flatnonzero(part_of == part)
        _, number = np.unique(codes[places], return_inverse=True)
        held = _distinct(number << 32 | text_of[places])  # each shingle once per text
        number, text = held >> 32, held & _LOW
        sizes += np.bincount(text, minlength=len(texts))
        frequency = np.bincount(number)
        common = frequency > 1
        kept = common[number]
        holders.append(text[kept] << 32 | (known + np.cumsum(common) - 1)[number[kept]])
        frequencies.append(frequency[common])
        known += len(frequencies[-1])
    del codes, part_of, text_of
    rank = np.empty(known, dtype=np.int64)
    rank[np.argsort(np.concatenate(frequencies), kind="stable")] = np.arange(known)
    rows = np.concatenate([held >> 32 << 32 | rank[held & _LOW] for held in holders])
    rows.sort()
    return _Shingles(sizes, _borders(np.bincount(rows >> 32, minlength=len(texts))), (rows & _LOW).astype(np.int32))


def _codes(texts: Words) -> tuple[Integers, npt.NDArray[np.uint8]]:
    """The three-word shingle that begins at each word, as one number, and its part; no part where a text ends.

    A text of one or two words is one shingle.
    """
    codes = np.zeros(len(texts.numbers), dtype=np.int64)
    for place in range(3):
        digits = 1 + texts.numbers[place:] % ((1 << _BITS) - 1)
        codes[: len(digits)] |= digits.astype(np.int64) << _BITS * place
    lengths = np.diff(texts.starts)
    for length in (1, 2):
        codes[texts.starts[:-1][lengths == length]] &= (1 << _BITS * length) - 1
    part_of = np.empty(len(codes), dtype=np.uint8)
    np.remainder(codes, _PARTS, out=part_of, casting="unsafe")
    for length in (1, 2):
        part_of[texts.starts[1:][lengths > length] - length] = _PARTS
    return codes, part_of


def _candidates(shingles: _Shingles, overlap: float) -> Iterator[Pairs]:
    """Pairs of texts that share one of each's rarest shingles, some at a time; a pair may come again."""
    # A copy has `least` of a text's shingles, so it has one of those that remain without `least` - 1 of them.
    least = np.ceil(overlap * shingles.sizes - 1e-9).astype(np.int64)
    shared = np.diff(shingles.starts)
    rarest = np.clip(shared - least + 1, 0, shared)
    text = np.repeat(np.arange(len(shared)), rarest)
    shingle = shingles.shared[_ranges(shingles.starts[:-1], rarest)]
    order = np.argsort(shingle, kind="stable")
    holder = text[order]
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    before = np.minimum(place - np.searchsorted(shingle[order], shingle), _RECENT)
    cost = np.cumsum(before * shared[text])
    cuts = np.searchsorted(cost, np.arange(_BATCH, cost[-1] if len(cost) else 0, _BATCH))
    for batch in np.split(np.arange(len(text)), cuts):
        others = holder[_ranges((place - before)[batch], before[batch])]
        pairs = union(np.stack([others, np.repeat(text[batch], before[batch])], axis=1))
        sizes = np.sort(shingles.sizes[pairs], axis=1)
        yield pairs[sizes[:, 0] >= overlap * sizes[:, 1] - 1e-9]


def _jaccard(shingles: _Shingles, pairs: Pairs) -> npt.NDArray[np.float64]:
    """[pairs]: the shingles that both texts have, as a share of those that either has."""
    shared = np.diff(shingles.starts)
    sides = [
        np.repeat(np.arange(len(pairs)), shared[side]) << 32
        | shingles.shared[_ranges(shingles.starts[side], shared[side])]
        for side in pairs.T
    ]
    both = np.sort(np.concatenate(sides))
    common = np.bincount(both[1:][both[1:] == both[:-1]] >> 32, minlength=len(pairs))
    share: npt.NDArray[np.float64] = common / (shingles.sizes[pairs].sum(axis=1) - common)
    return share


def _distinct(numbers: Integers) -> Integers:
    """Each number once, sorted; np.unique takes fifty times as long, by a hash table."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=-1) > 0]


def _ranges(starts: Integers, lengths: Integers) -> Integers:
    """Ranges of integers, one after the other: as many as `counts` says from each start on."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _borders(lengths: Integers) -> Integers:
    """[n + 1]: where pieces of these lengths begin if laid end to end, and where the last one ends."""
    return np.concatenate([_NONE, [0], np.cumsum(lengths)])
