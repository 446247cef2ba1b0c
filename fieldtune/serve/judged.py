"""The answers of the real queries, if the export lies in its repository: the search page marks them."""

from collections.abc import Mapping
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.corpus.judgements import ANSWER
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.unicode import normalised
from fieldtune.runtime import paths

_EXAMPLES = 50  # queries that the page suggests


class JudgedQueries:
    """Real queries by their words, whatever their case and white space."""

    def __init__(self, export: Path) -> None:
        """`export`: the folder of an export; in its repository, data/real/ lies beside it. Elsewhere there are none."""
        table = export.resolve().parent / paths.REAL.relative_to(paths.DATA)
        rows = files.read_jsonl(table) if table.is_file() else ()
        self._queries = {normalised(query.query): query for query in map(RealQuery.from_row, rows)}

    def grades(self, query: str) -> Mapping[str, float] | None:
        """The grades of the sections that answer a query, even partly; None if it is not judged."""
        judged = self._queries.get(normalised(query))
        return judged.graded if judged else None

    def examples(self) -> list[str]:
        """Some of the queries, from the first to the last."""
        queries = [query.query for query in self._queries.values()]
        return queries[:: max(1, -(-len(queries) // _EXAMPLES))]


def answer_rank(sections: list[str], grades: Mapping[str, float] | None) -> int | None:
    """The rank of the first of the sections that answers, from 1; None if there is none."""
    answers = {section for section, grade in (grades or {}).items() if grade >= ANSWER}
    return next((rank for rank, section in enumerate(sections, start=1) if section in answers), None)
