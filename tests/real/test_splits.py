"""The one use of a real query."""

import pytest

from fieldtune.corpus.real_queries import RealQuery
from fieldtune.runtime.errors import UserError
from stages.real.splits import split_of, style_apart


@pytest.mark.parametrize(
    ("row", "split"),
    [
        ({}, "test"),
        ({"split": "dev"}, "dev"),
        ({"group": "train"}, "train"),  # as older tables call the column
        ({"split": "style", "group": "train"}, "style"),
        ({"split": "", "group": "dev"}, "dev"),
    ],
)
def test_a_row_says_its_split(row: dict[str, str], split: str) -> None:
    assert split_of("q.csv, line 2", row) == split


def test_an_unknown_split_is_named_with_its_column() -> None:
    with pytest.raises(UserError, match=r"q.csv, line 2: split is holdout: it must be one of test, dev, train, style"):
        split_of("q.csv, line 2", {"split": "holdout"})


def test_what_equals_an_example_leaves_test_and_dev_and_stays_in_training() -> None:
    texts = ["Reset the router now please", "reset the router", "sell the router now"]
    queries = [RealQuery(text, split, ["a#b"], ["a"], 0.0) for text in texts for split in ("test", "dev", "train")]
    apart = style_apart(queries, ["reset the router now", "unlike"])
    # 4 of 5 words are the example's, 3 of 4 are, 3 of 4 are: only the first is near enough
    assert [query.split for query in apart] == ["style", "style", "train", *["test", "dev", "train"] * 2]
    assert style_apart(queries, []) == queries
