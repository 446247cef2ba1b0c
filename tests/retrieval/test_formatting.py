"""Numbers and texts as people read them."""

import pytest

from fieldtune.retrieval import formatting
from fieldtune.retrieval.significance import Interval

KNOWN, UNKNOWN = Interval(0.1, -0.05, 0.25), Interval(0.1, -1.0, 1.0, known=False)


def test_intervals() -> None:
    assert formatting.difference_ends(KNOWN) == "-0.050 to +0.250"
    assert formatting.score_ends(KNOWN) == "-0.050–\u200b0.250"
    assert formatting.difference(KNOWN, 0.95) == "+0.100 (95% interval -0.050 to +0.250)"


def test_of_too_few_clusters_no_ends_are_shown() -> None:
    assert formatting.difference_ends(UNKNOWN) == formatting.score_ends(UNKNOWN) == "too few groups"
    assert formatting.difference(UNKNOWN, 0.95) == "+0.100 (too few groups for an interval)"


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.004, "<1%"), (0.005, "0%"), (0.126, "13%"), (1, "100%")])
def test_shares(share: float, text: str) -> None:
    assert formatting.share(share) == text


def test_percents_keep_their_digits() -> None:
    assert formatting.percent(0.125) == "12.5%"
    assert formatting.percent(0.95) == "95%"


def test_only_the_first_letter_is_made_large() -> None:
    assert formatting.capitalized("base NDCG@10") == "Base NDCG@10"
    assert formatting.capitalized("") == ""


def test_a_long_text_ends_after_a_word() -> None:
    assert formatting.beginning("First  piece\nhere.", 20) == "First piece here."
    assert formatting.beginning("word " * 100, 14) == "word word …"
    assert formatting.beginning("unbroken" * 10, 9) == "unbrokenu …"
