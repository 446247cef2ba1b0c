"""Passages and the sections that they were cut from: their ids and hashes, and their text as the encoder sees it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Corpus:
    """Passages and the sections they belong to."""

    sections: list[str]  # section ids, `source#section`, in order of first appearance
    section_of: npt.NDArray[np.int64]  # [passages]: index into `sections`
    texts: list[str]  # each passage as the encoder and BM25 see it

    @classmethod
    def from_passages(cls, passages: Sequence[Mapping[str, Any]]) -> "Corpus":
        """The corpus of rows of passages.jsonl."""
        ids: dict[str, int] = {}
        section_of = [ids.setdefault(section_id(row["source"], row["section"]), len(ids)) for row in passages]
        return cls(list(ids), np.array(section_of, dtype=np.int64), [passage_text(row) for row in passages])

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
