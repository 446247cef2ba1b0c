"""The table of verdicts row by row, at its exact borders, and which system is recommended."""

from collections.abc import Mapping
from typing import Any

import pytest

from stages.evaluate.scores import SetScores
from stages.evaluate.verdict import Judgement, judge
from tests.evaluate.made_up import config, scores


def judged(
    of: SetScores, main_set: str = "real", kinds: Mapping[str, SetScores] | None = None, similarity: float = 0.9
) -> Judgement:
    return judge(main_set, of, kinds or {}, similarity, config())


def tuned(mean: float, low: float, high: float, **more: Any) -> SetScores:
    """Scores whose gain over a base of .7 has this mean and interval."""
    return scores(tuned=0.7 + mean, drawn={"tuned": (0.7 + low, 0.7 + high)}, tuned_hybrid=0.5, **more)


@pytest.mark.parametrize(
    ("of", "similarity", "verdict", "reason"),
    [
        (tuned(0.1, 0.05, 0.15), 0.9991, "keep_base", "vectors are unchanged"),
        (tuned(0.1, 0.05, 0.15), 0.999, "ship", "meaningful"),
        (tuned(-0.1, -0.2, -0.01), 0.9, "keep_base", "worse than the base"),
        (tuned(-0.1, -0.2, 0.0), 0.9, "keep_base", "cannot be told from luck"),
        (tuned(0.1, 0.0, 0.2), 0.9, "keep_base", "cannot be told from luck"),
        (tuned(0.1, 0.0000004, 0.2), 0.9, "keep_base", "cannot be told from luck"),  # 0 in metrics.json
        (tuned(0.1, 0.000001, 0.2), 0.9, "ship", "meaningful"),
        (tuned(0.019999, 0.01, 0.03), 0.9, "marginal", "points at the data"),
        (tuned(0.02, 0.01, 0.03), 0.9, "marginal", "below the 0.05"),
        (tuned(0.049999, 0.01, 0.09), 0.9, "marginal", "below the 0.05"),
        (tuned(0.05, 0.01, 0.09), 0.9, "ship", "meaningful"),
        (tuned(0.1, 0.05, 0.15, bm25=0.800001), 0.9, "marginal", "BM25 alone scores higher"),
        (tuned(0.1, 0.05, 0.15, bm25=0.8), 0.9, "ship", "meaningful"),
        (tuned(0.1, 0.05, 0.15, hybrid=0.9), 0.9, "ship", "meaningful"),
    ],
)
def test_rows_of_the_table(of: SetScores, similarity: float, verdict: str, reason: str) -> None:
    found = judged(of, similarity=similarity)
    assert found.verdict == verdict
    assert reason in found.reasons[1]


def test_a_gain_that_reads_as_the_limit_is_the_limit() -> None:
    of = scores(base=0.8, tuned=0.85, drawn={"tuned": (0.84, 0.86)})
    assert 0.85 - 0.8 < 0.05  # in binary
    assert judged(of).verdict == "ship"


@pytest.mark.parametrize(
    ("low", "main_set", "verdict"),
    [(0.0, "synthetic", "marginal"), (0.000001, "synthetic", "ship"), (-0.1, "real", "ship")],
)
def test_kinds_of_generated_queries_count_where_there_are_no_real_ones(low: float, main_set: str, verdict: str) -> None:
    of = tuned(0.1, 0.05, 0.15)
    found = judged(of, main_set, {"keyword": tuned(0.1, low, 0.2), "task": of})
    assert found.verdict == verdict
    assert any("no gain that can be told from luck on keyword." in reason for reason in found.reasons) == (
        verdict == "marginal"
    )


def test_the_reader_is_told_what_was_asked() -> None:
    real, generated = judged(tuned(0.1, 0.05, 0.15)), judged(tuned(0.1, 0.05, 0.15), "synthetic")
    assert real.reasons[0] == (
        "On 200 real queries the tuned model's NDCG@10 is 0.800, the base model's 0.700: a gain of +0.100 "
        "(95 % interval +0.050 to +0.150)."
    )
    assert generated.reasons[0].startswith("On 200 generated queries")
    assert "There are no real queries" in generated.reasons[-1]
    assert not any("There are no real queries" in reason for reason in real.reasons)


@pytest.mark.parametrize(("groups", "verdict"), [(1, "keep_base"), (5, "keep_base"), (6, "ship")])
def test_a_handful_of_groups_cannot_prove_a_gain(groups: int, verdict: str) -> None:
    found = judged(tuned(0.1, 0.05, 0.15, groups=groups))
    assert found.verdict == verdict
    assert any(f"Here are {groups}; 6 are the least" in reason for reason in found.reasons) == (groups < 6)


@pytest.mark.parametrize(
    ("of", "recommend", "why"),
    [
        # the best, beyond luck
        (scores(), "tuned", "scores highest (NDCG@10 0.800), beyond luck"),
        # the best lies within luck of one that costs less
        (scores(drawn={"tuned": (0.71, 0.9)}), "bm25", "the tuned model scores higher by +0.080"),
        (scores(tuned=0.72, drawn={"tuned": (0.70, 0.74)}), "tuned_hybrid", "beyond luck"),
        (scores(tuned_hybrid=0.82, drawn={"tuned_hybrid": (0.80, 0.84)}), "tuned", "may be luck"),
        # equal scores: the one that costs least
        (scores(bm25=0.9, hybrid=0.9, tuned=0.9, tuned_hybrid=0.9), "bm25", "scores highest"),
        (scores(base=0.9), "base", "costs least to run"),
        # the interval of the difference reaches down to just 0
        (scores(hybrid=0.85, drawn={"hybrid": (0.80, 0.9)}), "tuned", "the hybrid of base model and BM25"),
        (scores(hybrid=0.85, drawn={"hybrid": (0.800001, 0.9)}), "hybrid", "beyond luck"),
    ],
)
def test_the_cheapest_within_luck_of_the_best_is_recommended(of: SetScores, recommend: str, why: str) -> None:
    found = judged(of)
    assert found.recommend == recommend
    assert why in found.reasons[-1]


def test_a_model_that_is_not_kept_is_not_recommended() -> None:
    # hybrid(tuned) beats base beyond luck but not tuned, which does not beat base beyond luck
    of = scores(bm25=0.5, hybrid=0.6, tuned=0.78, tuned_hybrid=0.8, drawn={"tuned": (0.69, 0.85)})
    found = judged(of)
    assert (found.verdict, found.recommend) == ("keep_base", "tuned_hybrid")
    assert judged(scores(), similarity=1.0).recommend == "tuned_hybrid"
