"""Which generated queries are kept, by hand."""

from collections import Counter

import numpy as np

from stages.dataset.filters import drop_reasons
from stages.dataset.queries import TrainingQuery

RANKED = np.array([[0, 1, 2, 3, -1]])


def kept(
    queries: list[str],
    sections: list[int],
    answers: list[set[int]] | None = None,
    ranked: list[list[list[int]]] | None = None,
    top: int = 4,
    real: tuple[str, ...] = (),
) -> tuple[list[int], dict[str, int]]:
    systems = [np.array(rows) for rows in ranked] if ranked else [np.repeat(RANKED, len(queries), axis=0)]
    rows = [
        TrainingQuery(f"q{row}", text, "question", section, section, answers[row] if answers else {section})
        for row, (text, section) in enumerate(zip(queries, sections, strict=True))
    ]
    dropped = drop_reasons(rows, systems, top, real)
    return [row for row in range(len(queries)) if row not in dropped], dict(Counter(dropped.values()))


def test_repeats_are_dropped_whatever_their_case_and_spaces() -> None:
    assert kept(["Copy an image", " copy  AN\timage", "other"], [0, 0, 0]) == ([0, 2], {"repeated": 1})


def test_the_same_words_for_two_sections_are_dropped_altogether() -> None:
    assert kept(["list them", "List them", "list them", "clear"], [0, 1, 0, 1]) == ([3], {"ambiguous": 3})


def test_the_same_words_for_two_copies_are_a_repeat() -> None:
    assert kept(["list them", "List them"], [0, 1], [{0, 1}, {0, 1}]) == ([0], {"repeated": 1})


def test_words_of_a_real_query_are_dropped() -> None:
    assert kept(["How to?", "mine"], [0, 1], real=("how  to?",)) == ([1], {"same_as_a_real_query": 1})


def test_a_query_must_lead_back_by_some_system() -> None:
    first, second = [[1, 0, 2], [0, 2, 1]], [[2, 1, 0], [2, 0, 1]]
    both = kept(["a", "b"], [0, 1], ranked=[first, second], top=2)
    assert both == ([0], {"round_trip": 1})  # section 0 is second of the first system; 1 is third of both
    assert kept(["a", "b"], [0, 1], ranked=[first, second], top=0) == ([0, 1], {})


def test_a_copy_of_the_answer_leads_back_too() -> None:
    assert kept(["a"], [3], [{3, 1}], ranked=[[[1, 0, 2]]], top=1) == ([0], {})


def test_the_fill_of_short_rankings_is_no_section() -> None:
    assert kept(["a"], [4], ranked=[[[-1, -1, -1]]], top=3) == ([], {"round_trip": 1})
