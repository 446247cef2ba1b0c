"""The inputs of the stage: passages, generated and real queries, and their vectors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors
from fieldtune.runtime import paths


class StoredVectors(Mapping[str, npt.NDArray[np.float32]]):
    """The vectors of `passages`, `queries` and `real`, each read when it is first asked for.

    The search for copies takes as much memory as the passages' vectors, and is over by then.
    """

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self._texts = texts
        self._tables: dict[str, npt.NDArray[np.float32]] = {}

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        if name not in self._tables:
            stored = PASSAGES if name == "passages" else QUERIES
            self._tables[name] = read_vectors(paths.VECTORS, stored, self._texts[name])
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


@dataclass(frozen=True)
class Inputs:
    """Rows of the files of earlier stages."""

    passages: list[dict[str, Any]]
    corpus: Corpus
    generated: list[dict[str, Any]]
    real: list[RealQuery]  # those with answers
    log: list[str]  # those without
    vectors: Mapping[str, npt.NDArray[np.float32]]  # unit vectors [rows, dimension] of `passages`, `queries` and `real`

    @cached_property
    def passage_rows(self) -> dict[str, int]:
        """The row of each passage by its id."""
        return {passage["id"]: row for row, passage in enumerate(self.passages)}

    @cached_property
    def documents(self) -> list[str]:
        """[sections]: the document of each."""
        document_of = {
            section: passage["document"]
            for passage, section in zip(self.passages, self.corpus.section_of.tolist(), strict=True)
        }
        return [document_of[section] for section in range(len(self.corpus.sections))]

    @cached_property
    def real_answers(self) -> list[list[int]]:
        """[real queries]: the sections that each names as answers."""
        return [[self._section_rows[section] for section in query.sections] for query in self.real]

    @cached_property
    def real_grades(self) -> list[dict[int, float]]:
        """[real queries]: the grades of the sections that answer each, even partly; first `real_answers`."""
        rows = self._section_rows
        return [{rows[section]: grade for section, grade in query.graded.items()} for query in self.real]

    @cached_property
    def _section_rows(self) -> dict[str, int]:
        return {section: row for row, section in enumerate(self.corpus.sections)}


def read_inputs() -> Inputs:
    """Read all inputs of the stage."""
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    generated = list(files.read_jsonl(paths.QUERIES))
    real = real_queries.read()
    return Inputs(
        passages=passages,
        corpus=corpus,
        generated=generated,
        real=real,
        log=[row["query"] for row in files.read_jsonl(paths.REAL_LOG)],
        vectors=StoredVectors(
            {
                "passages": corpus.texts,
                "queries": [row["query"] for row in generated],
                "real": [query.query for query in real],
            }
        ),
    )
