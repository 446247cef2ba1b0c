"""What a provider of queries is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

KINDS = ("task", "question", "keyword", "problem", "situation", "own")  # own: of pairs whose file names no kind


@dataclass(frozen=True)
class Query:
    """One generated search query for one passage."""

    passage_id: str
    query: str
    kind: str  # one of KINDS
    provider: str

    def row(self) -> dict[str, str]:
        """The row of queries.jsonl."""
        return {
            "passage_id": self.passage_id,
            "query": self.query,
            "kind": self.kind,
            "provider": self.provider,
        }


class Provider(Protocol):
    """Gives queries for passages (rows of passages.jsonl)."""

    name: str

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        """The queries, and counts of what was used and dropped, for the summary."""
        ...
