"""Passages and the sections that they were cut from: their ids and hashes, and what the encoder sees of them."""

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
    texts: list[str]  # what the encoder, and BM25, see of each passage

    @classmethod
    def from_passages(cls, passages: Sequence[Mapping[str, Any]]) -> "Corpus":
        """The corpus of rows of passages.jsonl."""
        ids: dict[str, int] = {}
        section_of = [ids.setdefault(section_id(row["source"], row["section"]), len(ids)) for row in passages]
        return cls(list(ids), np.array(section_of, dtype=np.int64), [passage_text(row) for row in passages])

    @cached_property
    def tie_order(self) -> npt.NDArray[np.int64]:
        """[sections]: the rank of each id among the sorted ids; of equal scores the highest comes first."""
        order = np.empty(len(self.sections), dtype=np.int64)
        order[np.argsort(np.array(self.sections, dtype=object), kind="stable")] = np.arange(len(self.sections))
        return order


def section_id(source: str, section: str) -> str:
    """The id that a section has in qrels and rankings."""
    return f"{source}#{section}"


def passage_text(passage: Mapping[str, Any]) -> str:
    """What the encoder, and BM25, see of a row of passages.jsonl; the encoder's length limit counts all of it."""
    return f"{passage['title']}\n{passage['text']}"


def section_hash(text: str) -> str:
    """16 hex digits that stand for a section's text, whatever its white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]
