"""The sample's style: its examples by hash."""

import hashlib

import pytest

from stages.sample import style
from stages.sample.style import sample_style

QUERIES = [f"To do the {number}th thing" for number in range(20)]


def test_the_examples_are_found_among_the_real_queries_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [QUERIES[number] for number in (7, 3, 11, 0, 19)]
    monkeypatch.setattr(style, "_EXAMPLES", [hashlib.sha256(query.encode()).hexdigest()[:16] for query in chosen])
    written = sample_style(QUERIES)
    assert written is not None
    assert written.examples == chosen
    assert written.population is not None
    assert written.population.queries == 20
    assert sample_style(QUERIES[1:]) is None  # the manual has lost one


def test_there_are_twelve() -> None:
    assert len(set(style._EXAMPLES)) == 12
