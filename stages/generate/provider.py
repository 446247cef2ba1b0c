"""A provider of queries, and what it gives."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from fieldtune.corpus.providers import STYLED, TRAITS, Traits
from stages.generate.config import GenerateConfig

MODEL_KINDS = ("task", "question", "keyword", "problem")  # that a model is asked to write if no style is known
KINDS = (*MODEL_KINDS, STYLED, "situation", "own")  # own: of pairs whose file names no kind


@dataclass(frozen=True)
class Query:
    """One generated search query for one passage."""

    passage_id: str
    query: str
    kind: str  # one of KINDS
    provider: str
    language: str | None = None  # that it was asked for in, a BCP 47 tag; None: the passage's, or unknown

    def row(self) -> dict[str, str]:
        """The row of queries.jsonl; `language` stands in it if it is known."""
        return {
            "passage_id": self.passage_id,
            "query": self.query,
            "kind": self.kind,
            "provider": self.provider,
            **({"language": self.language} if self.language else {}),
        }


class Provider(ABC):
    """Gives queries for passages (rows of passages.jsonl)."""

    name: ClassVar[str]  # in `providers:` of conf/generator/

    @classmethod
    @abstractmethod
    def configured(cls, config: GenerateConfig) -> Self:
        """Make it as the stage's settings say."""

    @property
    def traits(self) -> Traits:
        return TRAITS[self.name]

    @abstractmethod
    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        """The queries, and counts of what was used and dropped, for the summary."""
