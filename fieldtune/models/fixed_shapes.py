"""Batches of fixed shapes, so that a text's vector depends on the text alone.

Sums are made in an order that depends on the shape of what is added up, so that a text's bits differ with the texts
beside it (1e-7 in fp32, 6e-4 in bf16). In a fixed shape [rows, tokens] they are the same in any row, in any company
and with any number of threads. So a text's own number of tokens names the shape, and a short batch is filled up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_EXACT = 16  # tokens up to which every length has a shape of its own: there, rounding up would add a fifth
_STEP = 8  # tokens; longer texts are rounded up to multiples

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """Texts to encode at once."""

    rows: list[int]  # of the texts, in the order of the first `ids`; those behind fill the batch up
    ids: list[Ids]
    length: int | None  # to which each is padded; None: they stand one behind the other


def padded_length(tokens: int, limit: int | None) -> int:
    """The length to which a text is padded, at most `limit`, the most tokens that the model reads.

    Longer ones than 16 tokens have at least one token of padding, except those of `limit` tokens: without any,
    transformers gives the attention no mask, and other arithmetic.
    """
    if tokens <= _EXACT:
        return max(1, tokens)
    length = (tokens // _STEP + 1) * _STEP
    return length if limit is None else max(tokens, min(length, limit))


class PaddedBatches:
    """Texts that wait until a batch of their shape is full."""

    def __init__(self, budget: int, limit: int | None) -> None:
        """`budget`: tokens of a batch; `limit`: the most tokens that the model reads."""
        self._budget, self._limit = budget, limit
        self._waiting: dict[tuple[int, bool], list[tuple[int, Ids]]] = {}

    def add(self, row: int, ids: Ids) -> Batch | None:
        """Add a text; the batch that is full with it."""
        length = padded_length(len(ids), self._limit)
        shape = length, length == len(ids)
        texts = self._waiting.setdefault(shape, [])
        texts.append((row, ids))
        return self._batch(shape) if len(texts) == self._rows(length) else None

    def rest(self) -> Iterator[Batch]:
        """The texts that still wait, filled up with copies of the first of each shape."""
        for shape in sorted(self._waiting):
            yield self._batch(shape)

    def _batch(self, shape: tuple[int, bool]) -> Batch:
        texts = self._waiting.pop(shape)
        all_ids = [ids for _, ids in texts]
        fill = [all_ids[0]] * (self._rows(shape[0]) - len(texts))
        return Batch([row for row, _ in texts], all_ids + fill, shape[0])

    def _rows(self, length: int) -> int:
        return max(1, self._budget // length)


class FlatBatches:
    """Texts that wait until they are as many tokens as a batch has, for a model that reads them without padding."""

    def __init__(self, budget: int, limit: int | None, pad: int) -> None:
        self._budget, self._limit, self._pad = max(budget, limit or 0), limit, pad
        self._rows: list[int] = []
        self._ids: list[Ids] = []
        self._free = self._budget

    def add(self, row: int, ids: Ids) -> Batch | None:
        """Add a text; the batch before it, if it did not fit in."""
        full = self._batch() if len(ids) > self._free and self._rows else None
        self._rows.append(row)
        self._ids.append(ids)
        self._free -= len(ids)
        return full

    def rest(self) -> Iterator[Batch]:
        """The texts that still wait, filled up with padding."""
        if self._rows:
            yield self._batch()

    def _batch(self) -> Batch:
        longest = self._limit or self._budget
        fill = [
            np.full(min(longest, self._free - start), self._pad, dtype=np.int32)
            for start in range(0, self._free, longest)
        ]
        batch = Batch(self._rows, self._ids + fill, None)
        self._rows, self._ids, self._free = [], [], self._budget
        return batch
