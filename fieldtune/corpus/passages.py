"""Passages and the sections that they were cut from: their ids and hashes, and their text as the encoder sees it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt


class TextsOfRows(Sequence[str]):
    """A text of each row, made when it is used, so that none is held."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], text: Callable[[Mapping[str, Any]], str]) -> None:
        self._rows, self._text = rows, text

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._text(row) for row in self._rows[place]]
        return self._text(self._rows[place])


@dataclass(frozen=True)
class Corpus:
    """Passages and the sections they belong to."""

    sections: list[str]  # section ids, `source#section`, in order of first appearance
    section_of: npt.NDArray[np.int64]  # [passages]: index into `sections`
    texts: Sequence[str]  # each passage as the encoder and BM25 see it

    @classmethod
    def from_passages(cls, passages: Sequence[Mapping[str, Any]]) -> "Corpus":
        """The corpus of rows of passages.jsonl."""
        ids: dict[str, int] = {}
        section_of = [ids.setdefault(section_id(row["source"], row["section"]), len(ids)) for row in passages]
        return cls(list(ids), np.array(section_of, dtype=np.int64), TextsOfRows(passages, passage_text))

    @cached_property
    def tie_order(self) -> npt.NDArray[np.int64]:
        """[sections]: the rank of each id among the sorted ids; among equal scores the highest comes first."""
        order = np.empty(len(self.sections), dtype=np.int64)
        order[np.argsort(np.array(self.sections, dtype=object), kind="stable")] = np.arange(len(self.sections))
        return order


def section_id(source: str, section: str) -> str:
    """The id that a section has in qrels and rankings."""
    return f"{source}#{section}"


def passage_text(passage: Mapping[str, Any]) -> str:
    """The text of a row of passages.jsonl that the encoder and BM25 see; all of it counts for the length limit."""
    return f"{passage['title']}\n{passage['text']}"


def section_hash(text: str) -> str:
    """A digest of a section's text whatever its white space, 16 hex digits."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]
