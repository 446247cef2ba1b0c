"""The hash of a test set: the same for the same queries and answers, another for any other."""

import hashlib

import pytest

from stages.evaluate.query_keys import hash_test_set, query_key

TEST = [("Zeta  of\nÄther", ["c#z"]), ("copy image", ["b#y", "a#x"])]


def hashed(test: list[tuple[str, list[str]]]) -> str:
    return hash_test_set(query_key(query, answers) for query, answers in test)


def test_the_hash_is_of_the_sorted_words_and_answers() -> None:
    written = rb'[["copy image", ["a#x", "b#y"]], ["zeta of \u00e4ther", ["c#z"]]]'
    assert hashed(TEST) == hashlib.sha256(written).hexdigest()[:16]


@pytest.mark.parametrize(
    "same",
    [
        TEST[::-1],
        [("zeta of äther", ["c#z"]), ("Copy image ", ["a#x", "b#y"])],
    ],
)
def test_order_case_and_white_space_do_not_count(same: list[tuple[str, list[str]]]) -> None:
    assert hashed(same) == hashed(TEST)


@pytest.mark.parametrize(
    "other",
    [
        TEST[:1],
        [*TEST, ("one more", ["a#x"])],
        [TEST[0], ("copy images", ["a#x", "b#y"])],
        [TEST[0], ("copy image", ["a#x"])],
        [("zeta of äther", ["a#x", "b#y"]), ("copy image", ["c#z"])],
    ],
)
def test_another_query_or_answer_is_another_test(other: list[tuple[str, list[str]]]) -> None:
    assert hashed(other) != hashed(TEST)
