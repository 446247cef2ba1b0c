"""Rankings come back from their file as they were, in the order asked for."""

from pathlib import Path

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.ranking import DEPTH, Rankings
from fieldtune.retrieval.stored_rankings import read_rankings, write_rankings


def test_rankings_survive_their_file(tmp_path: Path) -> None:
    corpus = Corpus.from_passages([{"source": "a.md", "section": f"é{n}", "title": "", "text": ""} for n in range(150)])
    numbers = np.random.default_rng(0)
    sections = np.array([numbers.permutation(150)[:DEPTH] for _ in range(3)])
    scores = -np.sort(-numbers.normal(size=(3, DEPTH)))
    sections[1, 5:], scores[1, 5:] = -1, -np.inf  # short
    sections[2], scores[2] = -1, -np.inf  # found nothing
    systems = {"base": Rankings(sections, scores), "bm25": Rankings(sections[::-1], scores[::-1])}
    write_rankings(tmp_path / "rankings.parquet", systems, ["q1", "q2", "q3"], corpus)

    read = read_rankings(tmp_path / "rankings.parquet", ["q3", "q1", "q2"], corpus)

    assert list(read) == ["base", "bm25"]
    for name, written in systems.items():
        np.testing.assert_array_equal(read[name].sections, written.sections[[2, 0, 1]])
        np.testing.assert_array_equal(read[name].scores, written.scores[[2, 0, 1]])
