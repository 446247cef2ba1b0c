"""Queries that are passages: found by their text, left out of their own rankings, and only there."""

import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import DEPTH, Rankings
from fieldtune.retrieval.self_passages import leave_out, message, own_sections

TICKETS = [
    ("a.md", "Login fails", "The page stays white after the login."),
    ("b.md", "White page", "After the login I see nothing."),
    ("c.md", "Long", "First half of a long ticket,"),
    ("c.md", "Long", "and its second half."),
    ("d.md", "Uneven", "Short."),
    ("d.md", "Uneven", "Then a piece that is longer than the query."),
]
PASSAGES = [
    {"id": f"{source}#{row}", "source": source, "section": section.lower(), "title": section, "text": text}
    for row, (source, section, text) in enumerate(TICKETS)
]
CORPUS = Corpus.from_passages(PASSAGES)


def judged(*queries: tuple[str, set[int]]) -> Judged:
    texts = [text for text, _ in queries]
    return Judged(
        [f"r{row:06d}" for row in range(len(queries))], texts, [dict.fromkeys(answers, 0.5) for _, answers in queries],
        np.arange(len(queries)), {"real": np.arange(len(queries))},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "answers", "own"),
    [
        ("The page stays white after the login.", {1}, 0),
        ("  the page stays WHITE\n after the login. ", {1}, 0),
        ("Login fails The page stays white after the login.", {1}, 0),
        ("The page stays white after the login.", {0}, -1),  # it is the answer
        ("The page stays white after the login.", {0, 1}, -1),
        ("First half of a long ticket, and its second half.", {0}, 2),
        ("First half of a long ticket,", {0}, -1),  # a part of a section is not the section
        ("and its second half.", {0}, -1),
        ("Short.", {0}, -1),
        ("white page", {1}, -1),
    ],
)
def test_a_query_is_a_passage_by_its_whole_text(query: str, answers: set[int], own: int) -> None:
    assert own_sections(judged((query, answers)), PASSAGES, CORPUS.sections).tolist() == [own]


def rankings(*rows: list[int]) -> Rankings:
    sections, scores = np.full((len(rows), DEPTH), -1), np.full((len(rows), DEPTH), -np.inf)
    for row, ranked in enumerate(rows):
        sections[row, : len(ranked)] = ranked
        scores[row, : len(ranked)] = -np.arange(len(ranked))
    return Rankings(sections, scores)


def test_what_stands_below_moves_up() -> None:
    left = leave_out(rankings([0, 1, 2], [0, 1, 2], [2, 1], list(range(DEPTH))), np.array([0, -1, 0, 3]))
    assert left.sections[:, :3].tolist() == [[1, 2, -1], [0, 1, 2], [2, 1, -1], [0, 1, 2]]
    assert left.scores[0, :3].tolist() == [-1, -2, -np.inf]
    assert (left.sections[3] == [*range(3), *range(4, DEPTH), -1]).all()
    # By hand: the answer in second place has 1 / log2(3), in first place 1.
    before, after = (metrics.per_query(each, [{1: 1}])["ndcg@10"][0] for each in (rankings([0, 1]), left[:1]))
    assert (before, after) == (pytest.approx(0.6309, abs=1e-4), 1.0)


def test_the_report_says_for_how_many() -> None:
    assert message(np.array([-1, -1])) == ""
    assert message(np.array([-1, 4])) == "1 query is itself a passage, which is left out of its own ranking"
    assert message(np.array([0, 4])) == "2 queries are themselves passages, which are left out of their own ranking"
