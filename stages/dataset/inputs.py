"""The inputs of the stage: passages, generated and real queries, and their vectors."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.vectors import PASSAGES, QUERIES, StoredVectors, read_vectors
from fieldtune.runtime import paths


@dataclass(frozen=True)
class Inputs:
    """Rows of the files of earlier stages."""

    passages: Sequence[dict[str, Any]]
    corpus: Corpus
    generated: list[dict[str, Any]]
    real: list[RealQuery]  # those with answers
    log: list[str]  # those without
    query_vectors: npt.NDArray[np.float32]  # unit vectors [generated, dimension]
    real_vectors: npt.NDArray[np.float32]  # [real, dimension]
    passage_vectors: StoredVectors  # not read before the search for copies has freed its memory

    @cached_property
    def passage_rows(self) -> dict[str, int]:
        """The row of each passage that has a query, by its id."""
        wanted = {row["passage_id"] for row in self.generated}
        wanted.update(passage for query in self.real for passage in query.passages)
        return {passage["id"]: row for row, passage in enumerate(self.passages) if passage["id"] in wanted}

    @cached_property
    def documents(self) -> list[str]:
        """[sections]: the document of each."""
        document_of = {
            section: sys.intern(passage["document"])
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
    passages = files.JsonLines(paths.PASSAGES)
    corpus = Corpus.from_passages(passages)
    generated = list(files.read_jsonl(paths.QUERIES))
    real = real_queries.read()
    return Inputs(
        passages=passages,
        corpus=corpus,
        generated=generated,
        real=real,
        log=[row["query"] for row in files.read_jsonl(paths.REAL_LOG)],
        query_vectors=read_vectors(paths.VECTORS, QUERIES, [row["query"] for row in generated]),
        real_vectors=read_vectors(paths.VECTORS, QUERIES, [query.query for query in real]),
        passage_vectors=StoredVectors(paths.VECTORS, PASSAGES, corpus.texts),
    )
