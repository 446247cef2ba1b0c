"""Rankings in a file, so that no stage repeats another's ranking."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.ranking import DEPTH, Rankings


def write_rankings(path: Path, systems: Mapping[str, Rankings], ids: Sequence[str], corpus: Corpus) -> None:
    """Write rows of `system`, `query_id`, `sections` and `scores`, the last two best first."""
    columns: dict[str, list[object]] = {"system": [], "query_id": [], "sections": [], "scores": []}
    for system, rankings in systems.items():
        for query, sections, scores in zip(ids, rankings.sections, rankings.scores, strict=True):
            ranked = sections >= 0
            columns["system"].append(system)
            columns["query_id"].append(query)
            columns["sections"].append([corpus.sections[section] for section in sections[ranked]])
            columns["scores"].append(scores[ranked].tolist())
    files.write_table(path, columns)


def read_rankings(path: Path, ids: Sequence[str], corpus: Corpus) -> dict[str, Rankings]:
    """Read each system's rankings, their rows in the order of `ids`."""
    table = files.read_table(path)
    section_index = {section: number for number, section in enumerate(corpus.sections)}
    row_of = {query: row for row, query in enumerate(ids)}
    systems: dict[str, Rankings] = {}
    for system, query, sections, scores in zip(*table.values(), strict=True):
        if system not in systems:
            empty = (len(ids), DEPTH)
            systems[system] = Rankings(np.full(empty, -1, dtype=np.int64), np.full(empty, -np.inf))
        row = row_of[query]
        systems[system].sections[row, : len(sections)] = [section_index[section] for section in sections]
        systems[system].scores[row, : len(scores)] = scores
    return systems
