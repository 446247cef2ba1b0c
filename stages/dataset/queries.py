"""The queries that may be trained on: generated ones, and real ones of the split `train`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.judged_queries import generated_id, real_id, row_of
from stages.dataset.answers import Copies
from stages.dataset.inputs import Inputs


@dataclass(frozen=True)
class TrainingQuery:
    """A query that may be trained on, with the one passage that it was written for."""

    id: str
    text: str
    kind: str
    passage: int  # row of passages.jsonl
    section: int
    answers: set[int]  # the sections that answer it


@dataclass(frozen=True)
class TrainingQueries:
    """Generated queries, in the order of queries.jsonl, and real ones, each once per passage that answers it."""

    generated: list[TrainingQuery]
    real: list[TrainingQuery]

    @cached_property
    def all(self) -> list[TrainingQuery]:
        """All queries, first the generated ones."""
        return [*self.generated, *self.real]

    def vectors(self, inputs: Inputs) -> npt.NDArray[np.float32]:
        """[all queries, dimension]"""
        of_real = [row_of(query.id) for query in self.real]
        return np.concatenate([inputs.query_vectors, inputs.real_vectors[of_real]])


def training_queries(inputs: Inputs, copies: Copies) -> TrainingQueries:
    """Collect the queries, each answered by its section, the copies of that, and all that contain its passage."""
    return TrainingQueries(
        list(_with_answers(_generated(inputs), inputs, copies)), list(_with_answers(_real(inputs), inputs, copies))
    )


_Source = tuple[str, str, str, str]  # id, text, kind, and the id of the passage


def _generated(inputs: Inputs) -> Iterator[_Source]:
    for row, query in enumerate(inputs.generated):
        yield generated_id(row), query["query"], query["kind"], query["passage_id"]


def _real(inputs: Inputs) -> Iterator[_Source]:
    for row, query in enumerate(inputs.real):
        if query.split == "train":
            for passage_id in query.passages:
                yield real_id(row), query.query, "real", passage_id


def _with_answers(sources: Iterable[_Source], inputs: Inputs, copies: Copies) -> Iterator[TrainingQuery]:
    section_of = inputs.corpus.section_of.tolist()
    for query_id, text, kind, passage_id in sources:
        passage = inputs.passage_rows[passage_id]
        section = section_of[passage]
        answers = copies.alike[section] | copies.holding[passage]
        yield TrainingQuery(query_id, text, kind, passage, section, answers)
