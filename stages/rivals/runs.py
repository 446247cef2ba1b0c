"""Run files: what a search of one's own found for each query, in TREC's format or as JSONL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus, section_id
from fieldtune.corpus.unicode import normalised
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import Rankings, ScoredSections
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import Places

_COLUMNS = 6  # of TREC's format: query, Q0, place, rank, score, name of the run
_UNKNOWN = 0.5  # share of the places that may be of other documents

Result = tuple[Any, float]  # a place, as text or as a row that names it, and its score


@dataclass(frozen=True)
class RunFile:
    """The results of each query, by its id if the format is TREC's, otherwise by its text."""

    path: Path
    by_id: bool
    results: Mapping[str, Sequence[Result]]

    def of_query(self, query_id: str, text: str) -> Sequence[Result]:
        """The results of a query; none if it is not in the file."""
        return self.results.get(query_id if self.by_id else normalised(text), ())


def read_run(path: Path) -> RunFile:
    """Read a run file. Raises UserError that names the line that is wrong."""
    if not path.is_file():
        raise UserError(f"{path} not found: it must be a file beside rivals.yaml")
    if path.suffix.lower() == ".jsonl":
        return RunFile(path, False, dict(_jsonl(path)))
    results: dict[str, list[Result]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it to UTF-8") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            query, _, rest = line.strip().split(maxsplit=2)
            place, _, score, _ = rest.rsplit(maxsplit=3)  # a place may have blanks
            results.setdefault(query, []).append((place, _number(score)))
        except ValueError:
            raise UserError(
                f"{path}, line {number}: it must have TREC's six columns: query, Q0, place, rank, score, name"
            ) from None
    return RunFile(path, True, results)


def _jsonl(path: Path) -> Iterator[tuple[str, list[Result]]]:
    for number, row in files.read_rows(path):
        where = f"{path}, line {number}"
        query, results = row.get("query"), row.get("results")
        if not isinstance(query, str) or not isinstance(results, list):
            raise UserError(f"{where}: it must have `query`, a text, and `results`, a list of places, best first")
        rows = []
        for rank, result in enumerate(results):
            if not isinstance(result, str | dict):
                raise UserError(f"{where}: result {rank + 1} is not a place: `file#section`, or `source` and `section`")
            score = result.get("score") if isinstance(result, dict) else None
            try:
                rows.append((result, -float(rank) if score is None else _number(score)))
            except (TypeError, ValueError):
                raise UserError(f"{where}: result {rank + 1}: the score is not a number") from None
        yield normalised(query), rows


def _number(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError
    return number


def rank(
    run: RunFile, ids: Sequence[str], texts: Sequence[str], corpus: Corpus, passages: Sequence[dict[str, Any]]
) -> tuple[Rankings, int]:
    """Rank the sections of each query; places that are not in the documents are left out. Also their number.

    Raises UserError if most places are not in the documents.
    """
    known = _known(passages)
    places: list[Places] = []  # takes a while to make, and most files name ids

    def rows_of(place: Any) -> list[int]:
        if isinstance(place, str):
            if place in known:
                return [known[place]]
            place = {"source": place}
        if not places:
            places.append(Places(passages))
        return places[0].find(place) or []

    cache: dict[str, list[int]] = {}
    counts = [0, 0]

    def results() -> Iterator[ScoredSections]:
        for query_id, text in zip(ids, texts, strict=True):
            rows, scores = [], []
            for place, score in run.of_query(query_id, text):
                key = place if isinstance(place, str) else str(sorted(place.items()))
                if key not in cache:
                    cache[key] = rows_of(place)
                counts[not cache[key]] += 1
                rows += cache[key]
                scores += [score] * len(cache[key])
            yield np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float32)

    ranked = ranking.of_results(results(), len(texts), corpus)
    if counts[1] > _UNKNOWN * sum(counts):
        raise UserError(
            f"{run.path}: {counts[1]:,} of {sum(counts):,} places are not in the documents: a place is the id of a "
            f"passage or a section, such as {section_id(passages[0]['source'], passages[0]['section'])}"
        )
    return ranked, counts[1]


def _known(passages: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The first passage of each section, and each passage, by id."""
    known: dict[str, int] = {}
    for row, passage in enumerate(passages):
        known.setdefault(section_id(passage["source"], passage["section"]), row)
    return {**known, **{passage["id"]: row for row, passage in enumerate(passages)}}
