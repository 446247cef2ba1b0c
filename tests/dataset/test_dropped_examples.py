"""Examples of dropped queries, by hand."""

from typing import Any

import numpy as np

from stages.dataset.dropped_examples import dropped_examples
from stages.dataset.filters import drop_reasons
from stages.dataset.queries import TrainingQuery
from stages.dataset.round_trip import RoundTrip


def unit(*angles: float) -> Any:
    return np.array([[np.cos(a), np.sin(a)] for a in np.radians(angles)], dtype=np.float32)


ROWS = [{"id": f"doc.md#{name}", "title": f"Doc {name}"} for name in ("a", "b", "b-2", "c", "d")]
SECTION_OF = np.array([0, 1, 1, 2, 3])
ANGLES = unit(0, 80, 30, 60, 20)  # by cosine with 0°: a 0°, d 20°, b 30° (its second piece), c 60°


def examples(
    queries: list[str],
    positives: list[int],
    right: list[set[int]],
    bm25: list[list[int]],
    top: int = 1,
    real: tuple[str, ...] = (),
) -> dict[str, list[dict[str, str]]]:
    """Examples of what the filter drops of queries that all look at 0°."""
    base = np.array([[0, 3, 1, 2]] * len(queries))
    lexical = np.array(bm25)
    rows = [
        TrainingQuery(f"q{row}", text, "question", passage, int(SECTION_OF[passage]), right[row])
        for row, (text, passage) in enumerate(zip(queries, positives, strict=True))
    ]
    dropped = drop_reasons(rows, [base, lexical], top, real)
    round_trip = RoundTrip(top, base, lexical, unit(*[0] * len(queries)), ANGLES, SECTION_OF)
    return dropped_examples(dropped, rows, ROWS, round_trip)


def test_a_query_that_does_not_lead_back_has_its_passages_ranks() -> None:
    dropped = examples(["far", "further"], [1, 3], [{1}, {2}], [[2, 1, -1], [0, 3, 1]])
    assert dropped == {
        "round_trip": [
            {
                "query": "far",
                "passage_id": "doc.md#b",
                "title": "Doc b",
                "why": "its passage is on rank 3 of the base model and on rank 2 of BM25; the limit is 1",
            },
            {
                "query": "further",
                "passage_id": "doc.md#c",
                "title": "Doc c",
                "why": "its passage is on rank 4 of the base model and not among the first 3 of BM25; the limit is 1",
            },
        ]
    }


def test_a_copys_rank_counts() -> None:
    dropped = examples(["far"], [3], [{2, 3}], [[1, 0, -1]])
    assert dropped["round_trip"][0]["why"].startswith("its passage is on rank 2 of the base model")


def test_a_tie_is_ranked_as_the_filter_did() -> None:
    ranked = np.array([[0, -1]])
    round_trip = RoundTrip(1, ranked, ranked, unit(0), unit(10, 10), np.array([0, 1]))
    query = TrainingQuery("q0", "alike", "question", 1, 1, {1})
    dropped = dropped_examples({0: "round_trip"}, [query], ROWS[:2], round_trip)
    assert dropped["round_trip"][0]["why"].startswith("its passage is on rank 2 of the base model")


def test_words_for_several_passages_name_another() -> None:
    near = [[0, 1, 2, 3]] * 4
    dropped = examples(["List", "list ", "LIST", "fine"], [0, 2, 3, 0], [{0}, {1}, {2}, {0}], near)
    # One example, since all three have the same words
    assert dropped == {
        "ambiguous": [
            {
                "query": "List",
                "passage_id": "doc.md#a",
                "title": "Doc a",
                "why": "also written for doc.md#b-2 and 1 more",
            }
        ]
    }
    two = examples(["list", "list"], [0, 3], [{0}, {2}], near[:2])
    assert two["ambiguous"][0]["why"] == "also written for doc.md#c"


def test_repeats_say_of_what() -> None:
    near = [[0, 1, 2, 3]] * 4
    dropped = examples(["once", "Once", "twice", "twice"], [0, 0, 2, 1], [{0}, {0}, {1}, {1}], near, top=3)
    assert [(example["passage_id"], example["why"]) for example in dropped["repeated"]] == [
        ("doc.md#a", "written twice for this passage"),
        ("doc.md#b", "already written for doc.md#b-2, which answers the same queries"),
    ]


def test_words_of_a_real_query() -> None:
    dropped = examples(["How to"], [0], [{0}], [[0, 1, 2, 3]], real=("how to",))
    assert [example["query"] for example in dropped["same_as_a_real_query"]] == ["How to"]


def test_at_most_five_of_a_reason_and_the_same_ones_each_time() -> None:
    queries = [f"far {number}" for number in range(50)]
    dropped = examples(queries, [3] * 50, [{2}] * 50, [[0, 1, 3]] * 50)
    chosen = [example["query"] for example in dropped["round_trip"]]
    assert len(set(chosen)) == 5
    assert chosen == sorted(chosen, key=queries.index)
    assert chosen != queries[:5]  # nor those of the first document alone
    assert dropped == examples(queries, [3] * 50, [{2}] * 50, [[0, 1, 3]] * 50)


def test_nothing_dropped_is_no_examples() -> None:
    assert examples(["near"], [0], [{0}], [[0, 1, 2, 3]]) == {}
