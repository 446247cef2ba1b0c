"""What each system holds in memory and copies, and that the page shows it."""

import pytest

from stages.evaluate.deployment import Sizes, deployments
from stages.evaluate.verdict import Judgement
from tests.evaluate.made_up import page, scores

SIZES = Sizes(model=90_900_000, vectors=1_000_000_000, whole=200_000_000, headings=20_000_000)


def test_each_system_by_hand() -> None:
    rows = {row.system: row for row in deployments(scores().means, SIZES, {"hybrid": 0.4, "tuned_hybrid": 1.0}, 0.1)}
    assert list(rows) == ["base", "bm25", "bm25_fields", "hybrid", "tuned", "tuned_hybrid"]
    assert rows["tuned"].memory == 22_725_000 + 1_000_000_000
    assert rows["bm25"].memory == 200_000_000
    assert rows["bm25_fields"].memory == 220_000_000
    assert rows["hybrid"].memory == 22_725_000 + 1_000_000_000 + 220_000_000
    assert rows["tuned_hybrid"].memory == rows["tuned"].memory  # a share of 1: BM25 has no part in it
    assert rows["bm25"].files == ("search/",)
    assert rows["hybrid"].files == ("onnx/", "vectors/", "search/")
    assert rows["hybrid"].ms == pytest.approx(rows["tuned"].ms + rows["bm25_fields"].ms, abs=0.11)


@pytest.mark.parametrize(("recommend", "model"), [("hybrid", "base"), ("tuned", "tuned"), ("bm25", "tuned")])
def test_the_page_has_a_row_for_each_and_says_what_is_exported(recommend: str, model: str) -> None:
    text = page(judgement=Judgement("marginal", recommend, ["Why."]))
    part = text[text.index('id="deploy"') : text.index('id="data-set"', text.index('id="deploy"'))]
    assert "files to copy" in part
    assert part.count('<tr class="best">') == 1
    assert f"The export holds the {model} model" in part


def test_without_headings_the_index_is_the_plain_one() -> None:
    rows = {row.system: row for row in deployments(scores().means, SIZES, {"hybrid": 0.4, "tuned_hybrid": 0.5}, 0.0)}
    assert rows["bm25_fields"].memory == rows["bm25"].memory
