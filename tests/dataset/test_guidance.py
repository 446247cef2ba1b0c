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
    said = size_guidance(pairs, passages)
    assert said.startswith(f"{start}: {pairs:,} training pairs")
    assert (f"queries for about {more}" in said) if more else ("more passages" not in said)
