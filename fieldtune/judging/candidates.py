"""Sections that may answer a query, for a person to judge, and who ranks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

SearchBy = Literal["words", "meaning"]


@dataclass(frozen=True)
class Candidate:
    """A section that may answer a query."""

    source: str
    section: str
    passages: list[int]  # the best one of each system that ranked the section, as rows of passages.jsonl


class Systems(Protocol):
    """The systems whose best sections are judged; `fieldtune.commands.loaded_systems` has them."""

    def pools(self, queries: Sequence[str], top: int) -> list[list[Candidate]]:
        """The candidates of each query, in an order that reveals no system."""
        ...

    def search(self, text: str, by: SearchBy, top: int) -> list[int]:
        """The best passages for a text, as rows of passages.jsonl."""
        ...
