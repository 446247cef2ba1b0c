"""Qrels: the passages that answer each query of the test and dev sets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.judged_queries import DEV, HARD, real_id
from stages.dataset.inputs import Inputs
from stages.dataset.split import SplitQueries

_COLUMNS = ("set", "query_id", "section", "passage_id", "relevance", "group")


@dataclass(frozen=True)
class Judgement:
    """A query of one set."""

    set_name: str
    query_id: str
    section: int  # the one that it was written for: its split unit is the query's cluster
    grades: dict[int, float]  # of all sections that answer it, even partly (`metrics.Grades`)


def real_judgements(inputs: Inputs, alike: Sequence[set[int]]) -> Iterator[Judgement]:
    """Judgements of the real queries of the test and dev sets: all copies of an answer, `alike`, answer too."""
    for row, (query, sections) in enumerate(zip(inputs.real, inputs.real_answers, strict=True)):
        sets = {"test": ["real", "real_hard"] if query.overlap <= HARD else ["real"], "dev": [DEV]}
        grades: dict[int, float] = {}
        for section, grade in inputs.real_grades[row].items():
            for copy in alike[section]:
                grades[copy] = max(grade, grades.get(copy, 0))
        for name in sets.get(query.split, []):
            yield Judgement(name, real_id(row), sections[0], grades)


def generated_judgements(queries: SplitQueries) -> Iterator[Judgement]:
    """Judgements of the held-out generated queries, and of those in dev."""
    for name, split in (("synthetic", "test"), (DEV, "dev")):
        for row in queries.rows[split]:
            query = queries.candidates.all[row]
            yield Judgement(name, query.id, query.section, dict.fromkeys(query.answers, 1))


def qrels_columns(
    judgements: Iterable[Judgement], passages: Sequence[Mapping[str, Any]], corpus: Corpus, unit_of: Sequence[int]
) -> dict[str, list[Any]]:
    """Columns of qrels.parquet: a row per passage of each answer, partial ones too; `relevance` is its grade.

    `unit_of` [sections] is the split unit.
    """
    judged = list(judgements)
    answers = set[int]().union(*(query.grades for query in judged))
    passages_of: dict[int, list[str]] = defaultdict(list)
    for row, section in enumerate(corpus.section_of.tolist()):
        if section in answers:
            passages_of[section].append(passages[row]["id"])
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for query in judged:
        for section, grade in sorted(query.grades.items()):
            for passage_id in passages_of[section]:
                cells = (
                    query.set_name,
                    query.query_id,
                    corpus.sections[section],
                    passage_id,
                    grade,
                    unit_of[query.section],
                )
                for column, value in zip(columns.values(), cells, strict=True):
                    column.append(value)
    return columns
