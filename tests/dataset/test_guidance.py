"""What the size of the training set lets a person expect."""

import pytest

from stages.dataset.guidance import size_guidance


@pytest.mark.parametrize(
    ("pairs", "passages", "start", "more"),
    [
        (199, 50, "too few", "453"),  # 1801 pairs are missing; 50 passages gave 199: 1801 * 50 / 199 = 452.5
        (200, 100, "few", "900"),
        (499, 499, "few", "1,501"),
        (500, 1000, "enough to learn from", "3,000"),  # half a training pair a passage
        (1999, 500, "enough to learn from", "1 "),
        (2000, 500, "reliable", None),
    ],
)
def test_each_size_has_its_words_and_its_number(pairs: int, passages: int, start: str, more: str | None) -> None:
    guidance = size_guidance(pairs, passages)
    assert guidance.startswith(f"{start}: {pairs:,} training pairs")
    assert (f"queries for about {more}" in guidance) if more else ("more passages" not in guidance)
    assert "$" not in guidance


def test_what_the_missing_queries_cost() -> None:
    # 1820 pairs are missing, a passage gave 3: 606.7 passages at $0.0002
    assert size_guidance(180, 60, 0.0002) == (
        "too few: 180 training pairs, expect overfitting below 200; write queries for about 607 more passages to have "
        "2,000 (about $0.12 with `generator: claude`)"
    )
    assert "(under $0.01 with" in size_guidance(1999, 500, 0.0002)
    assert "(about $1,234.50 with" in size_guidance(1000, 1000, 1.2345)


def test_passages_that_are_not_there_are_not_to_be_written_for() -> None:
    assert size_guidance(180, 60, None, 667).endswith("607 more passages to have 2,000")
    assert size_guidance(180, 60, None, 666, by_model=True).endswith(
        "; only 606 of your 666 passages have none, so add documents or request more queries per passage "
        "(`queries_per_passage` in conf/generator/)"
    )
    assert size_guidance(180, 60, None, 60).endswith(
        "; all your passages have queries, so add documents or let a model write several per passage (`generator: "
        "claude` or `local`)"
    )
