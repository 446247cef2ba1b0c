"""The queries that changed most: one of each group, biggest first."""

import numpy as np

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import DEPTH, Rankings
from stages.evaluate.examples import Example, Result, Results, beginnings, most_changed, strata
from stages.evaluate.query_facts import QueryFacts

SECTIONS = ["a#A", "b#B", "c#C", "d#D"]
TEXTS = ["text a", "text b", "text c", "text d"]
JUDGED = Judged(
    ids=[f"r{n}" for n in range(6)],
    texts=[f"query {n}" for n in range(6)],
    grades=[{0: 1}, {0: 1, 1: 0.5}, {1: 1, 2: 1}, {2: 1}, {3: 1}, {3: 1}],
    clusters=np.array([1, 1, 2, 3, 4, 5]),
    sets={},
)


FACTS = QueryFacts(
    kinds=["real", "real", "real", "task", "task", "keyword"],
    seen=np.array([True, False, True, True, False, False]),
    overlaps=np.array([0.5, 0.5, 0.75, 0.0, 1.0, 0.5]),
)


def ranked(*row: int) -> Rankings:
    rows = np.array([[*row] + [-1] * (DEPTH - len(row))] * 6)
    return Rankings(rows, np.zeros(rows.shape))


def changed(gains: list[float], rows: list[int], count: int = 9) -> tuple[list[Example], list[Example]]:
    return most_changed(
        JUDGED,
        FACTS,
        [np.array(rows)],
        gains=np.array(gains),
        results=Results(ranked(3, 0, 1, 2), ranked(2, 1), SECTIONS, TEXTS),
        count=count,
    )


def test_wins_and_losses_are_sorted_and_one_of_each_group() -> None:
    wins, losses = changed([0.2, 0.3, 0.5, -0.1, -0.9, 0.0], [0, 1, 2, 3, 4, 5])
    assert [(win.query, win.gain) for win in wins] == [("query 2", 0.5), ("query 1", 0.3)]
    assert [loss.query for loss in losses] == ["query 4", "query 3"]


def test_only_the_rows_asked_for_and_so_many() -> None:
    wins, losses = changed([0.2, 0.3, 0.5, 0.5, -0.9, 0.1], [0, 2, 3, 5], count=2)
    assert [win.query for win in wins] == ["query 2", "query 3"]  # equal gains by id
    assert losses == []


def test_three_results_of_each_with_the_right_ones_marked() -> None:
    wins, _ = changed([0, 0, 0.5, 0, 0, 0], [2])
    assert wins == [
        Example(
            "query 2",
            0.5,
            "real",
            seen=True,
            overlap=0.75,
            answers=["b#B", "c#C"],
            base=[Result("d#D", "text d", False), Result("a#A", "text a", False), Result("b#B", "text b", True)],
            tuned=[Result("c#C", "text c", True), Result("b#B", "text b", True)],
        )
    ]


def test_each_choice_of_a_reader_has_examples() -> None:
    parts = strata(FACTS, np.arange(6))
    # real ones by seen and by overlap, generated ones by kind
    assert sorted(part.tolist() for part in parts) == [[0], [1], [2], [3, 4], [5]]
    wins, _ = most_changed(
        JUDGED,
        FACTS,
        parts,
        gains=np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        results=Results(ranked(0), ranked(1), SECTIONS, TEXTS),
        count=1,
    )
    assert [win.query for win in wins] == [f"query {n}" for n in (5, 4, 2, 1, 0)]
    assert [win.hard for win in wins] == [True, False, False, True, True]


def test_a_section_begins_as_its_first_passage_does() -> None:
    rows = [
        {"source": "a", "section": "A", "title": "", "text": "First  piece\nhere."},
        {"source": "a", "section": "A", "title": "", "text": "Second piece."},
        {"source": "a", "section": "B", "title": "", "text": "word " * 100},
    ]
    short, long = beginnings(rows, Corpus.from_passages(rows))
    assert short == "First piece here."
    assert long == "word " * 31 + "word …"
