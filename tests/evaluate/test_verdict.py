"""The table of verdicts row by row, at its exact borders, and which system is recommended."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fieldtune.retrieval.significance import Interval
from stages.evaluate.scores import SetScores
from stages.evaluate.verdict import Evidence, Judgement, judge
from tests.evaluate.made_up import config, scores


def judged(
    set_scores: SetScores, main_set: str = "real", kinds: Mapping[str, SetScores] | None = None, similarity: float = 0.9
) -> Judgement:
    return judge(Evidence(main_set, set_scores, kinds or {}, similarity), config())


def tuned(mean: float, low: float, high: float, **more: Any) -> SetScores:
    """Scores whose gain over a base of .7 has this mean and interval; BM25 and the hybrids are far below."""
    far = {"bm25": 0.5, "bm25_fields": 0.5, "hybrid": 0.5, "tuned_hybrid": 0.5, **more}
    return scores(tuned=0.7 + mean, drawn={"tuned": (0.7 + low, 0.7 + high)}, **far)


def good(mean: float, low: float, high: float, base: float = 0.86) -> SetScores:
    """The same over a base that is good enough."""
    drawn = {"tuned": (base + low, base + high)}
    return scores(base=base, tuned=base + mean, drawn=drawn, bm25=0.5, bm25_fields=0.5, hybrid=0.5, tuned_hybrid=0.5)


@pytest.mark.parametrize(
    ("set_scores", "similarity", "verdict", "reason"),
    [
        (tuned(0.1, 0.05, 0.15), 0.9991, "keep_base", "embeddings are unchanged"),
        (tuned(0.1, 0.05, 0.15), 0.999, "ship", "meaningful"),
        (tuned(-0.1, -0.2, -0.01), 0.9, "keep_base", "worse than the base"),
        (tuned(-0.1, -0.2, 0.0), 0.9, "keep_base", "cannot be told from luck"),
        (tuned(0.1, 0.0, 0.2), 0.9, "keep_base", "cannot be told from luck"),
        (tuned(0.1, 0.0000004, 0.2), 0.9, "keep_base", "cannot be told from luck"),  # 0 in metrics.json
        (tuned(0.1, 0.000001, 0.2), 0.9, "ship", "meaningful"),
        (tuned(0.019999, 0.01, 0.03), 0.9, "marginal", "is below 0.02: look at the data"),
        (tuned(0.02, 0.01, 0.03), 0.9, "marginal", "below the 0.05"),
        (tuned(0.049999, 0.01, 0.09), 0.9, "marginal", "below the 0.05"),
        (tuned(0.05, 0.01, 0.09), 0.9, "ship", "meaningful"),
        (good(0.019, 0.01, 0.03), 0.9, "keep_base", "already above 0.85"),
        (good(0.019, 0.01, 0.03, base=0.85), 0.9, "marginal", "is below 0.02: look at the data"),
        (good(0.02, 0.01, 0.03), 0.9, "marginal", "below the 0.05"),
        (good(0.05, 0.01, 0.09), 0.9, "ship", "meaningful"),
        # Against what needs no tuning; half of the tuned model's draws are .75, half .85
        (tuned(0.1, 0.05, 0.15, bm25=0.850001), 0.9, "keep_base", "BM25 scores higher than every"),
        (tuned(0.1, 0.05, 0.15, bm25=0.85), 0.9, "marginal", "BM25 alone scores higher"),
        (tuned(0.1, 0.05, 0.15, bm25=0.85, tuned_hybrid=0.9), 0.9, "marginal", "BM25 alone scores higher"),
        (tuned(0.1, 0.05, 0.15, bm25=0.800001), 0.9, "marginal", "BM25 alone scores higher"),
        (tuned(0.1, 0.05, 0.15, bm25=0.8), 0.9, "ship", "meaningful"),
        (tuned(0.1, 0.05, 0.15, hybrid=0.9), 0.9, "keep_base", "The hybrid of base model and BM25 scores higher"),
        (tuned(0.1, 0.05, 0.15, hybrid=0.85), 0.9, "marginal", "which needs no tuning"),
        (tuned(0.1, 0.05, 0.15, hybrid=0.85, tuned_hybrid=0.85), 0.9, "ship", "meaningful"),
        (tuned(0.01, 0.005, 0.02, hybrid=0.9), 0.9, "keep_base", "The hybrid of base model and BM25 scores higher"),
    ],
)
def test_rows_of_the_table(set_scores: SetScores, similarity: float, verdict: str, reason: str) -> None:
    judgement = judged(set_scores, similarity=similarity)
    assert judgement.verdict == verdict
    assert reason in judgement.reasons[1]


@pytest.mark.parametrize(
    ("kinds", "verdict"),
    [
        ({"styled": tuned(0.1, 0.05, 0.15)}, "ship"),  # one kind, but one that tells what people type
        ({"task": tuned(0.1, 0.05, 0.15)}, "marginal"),
        ({"styled": tuned(0.1, 0.05, 0.15), "keyword": tuned(-0.1, -0.2, 0.1)}, "ship"),  # the other is not asked
        ({"styled": tuned(0.1, -0.01, 0.2), "keyword": tuned(0.1, 0.05, 0.15)}, "marginal"),
    ],
)
def test_queries_in_the_style_of_typed_ones_carry_the_verdict_alone(
    kinds: Mapping[str, SetScores], verdict: str
) -> None:
    assert judged(tuned(0.1, 0.05, 0.15), "synthetic", kinds).verdict == verdict


def test_why_training_kept_the_base_is_said() -> None:
    set_scores = tuned(0.0, 0.0, 0.0)
    judgement = judge(Evidence("real", set_scores, {}, 1.0, doubt="on dev the gain may be luck"), config())
    assert (judgement.verdict, judgement.reasons[1]) == (
        "keep_base",
        "Training kept the base model: on dev the gain may be luck.",
    )
    assert (
        "Training"
        not in judge(Evidence("real", set_scores, {}, 0.9, doubt="on dev the gain may be luck"), config()).reasons[1]
    )


@pytest.mark.parametrize(
    ("chosen_by", "choice"),
    [
        ("real", "Real queries chose the tuned model: both halves of 400 of them gain (`train.real_evidence`)"),
        ("dev", "400 real queries also served as a safety check, and dev chose the tuned model (`train.real"),
    ],
)
@pytest.mark.parametrize("main_set", ["real", "synthetic"])
def test_the_part_of_real_queries_in_the_choice_is_one_sentence(chosen_by: str, choice: str, main_set: str) -> None:
    evidence = Evidence(main_set, tuned(0.1, 0.05, 0.15), {}, 0.9, chosen_by=chosen_by, deciding=400)
    with_gain = replace(evidence, crossfitted=Interval(0.08, 0.05, 0.1234))
    (sentence,) = set(judge(with_gain, config()).reasons) - set(judge(evidence, config()).reasons)
    assert sentence.startswith(choice)
    assert sentence.endswith(
        "), so the gain on real queries is slightly optimistic; cross-fitted, with each half scored under the "
        "other half's choice, it is +0.080 (95% interval +0.050 to +0.123)."
    )


def test_a_gain_that_reads_as_the_limit_is_the_limit() -> None:
    set_scores = scores(base=0.8, tuned=0.85, drawn={"tuned": (0.84, 0.86)})
    assert 0.85 - 0.8 < 0.05  # in binary
    assert judged(set_scores).verdict == "ship"


@pytest.mark.parametrize(
    ("low", "main_set", "verdict"),
    [(0.0, "synthetic", "marginal"), (0.000001, "synthetic", "ship"), (-0.1, "real", "ship")],
)
def test_kinds_of_generated_queries_count_where_there_are_no_real_ones(low: float, main_set: str, verdict: str) -> None:
    set_scores = tuned(0.1, 0.05, 0.15)
    judgement = judged(set_scores, main_set, {"keyword": tuned(0.1, low, 0.2), "task": set_scores})
    assert judgement.verdict == verdict
    assert any("the gain cannot be told from luck on keyword (+0.100)." in reason for reason in judgement.reasons) == (
        verdict == "marginal"
    )


@pytest.mark.parametrize(("others", "verdict"), [(0.049999, "marginal"), (0.05, "ship")])
def test_a_gain_that_comes_from_one_kind_carries_no_verdict(others: float, verdict: str) -> None:
    # 100 keyword queries gain .3, 40 tasks and 60 questions .04 and what brings their mean to `others`
    question = (100 * others - 40 * 0.04) / 60
    kinds = {
        "keyword": tuned(0.3, 0.2, 0.4, n=100),
        "question": tuned(question, 0.01, 0.1, n=60),
        "task": tuned(0.04, 0.01, 0.1, n=40),
    }
    judgement = judged(tuned(0.17, 0.1, 0.2), "synthetic", kinds)
    assert judgement.verdict == verdict
    assert (
        "comes from one kind of generated query, keyword: without that kind, the gain is +0.050" in judgement.reasons[1]
    ) == (verdict == "marginal")


@pytest.mark.parametrize("kind", ["keyword", "problem", "task"])
def test_one_kind_alone_carries_no_verdict(kind: str) -> None:
    set_scores = tuned(0.1, 0.05, 0.15)
    judgement = judged(set_scores, "synthetic", {kind: set_scores})
    assert judgement.verdict == "marginal"
    assert f"of one kind, {kind}, and a single kind cannot carry" in judgement.reasons[1]
    assert "To know, collect 200 real queries" in judgement.reasons[1]


def test_how_many_real_queries_to_collect() -> None:
    def asked_for(set_scores: SetScores) -> str:
        return judged(set_scores, "synthetic").reasons[-1]

    # 200 generated queries tell .05 from luck: as many real ones; half of .02 needs fewer, 100 are the least
    assert "Collect 200 real queries" in asked_for(tuned(0.1, 0.05, 0.15))
    assert "Collect 100 real queries" in asked_for(tuned(0.1, 0.09, 0.11))
    assert "Collect 800 real queries" in asked_for(tuned(0.1, 0.0, 0.2))
    assert "Collect 100 real queries" in asked_for(tuned(0.1, 0.05, 0.15, clusters=2))


def test_what_can_be_told_from_luck_is_said() -> None:
    reasons = judged(tuned(0.1, 0.06, 0.14, n=61)).reasons
    assert (
        "With 61 queries, a gain under 0.040 cannot be told from luck; the gain here is +0.100. Two equal models would "
        "differ as much in 1.2% of such tests (randomisation test)."
    ) in reasons
    wide = judged(tuned(0.1, 0.0, 0.2, n=61)).reasons
    assert any("Telling a gain of 0.05 from luck takes about 250 queries." in reason for reason in wide)


def test_where_any_gain_is_meaningful_no_number_of_queries_is_asked_for() -> None:
    judgement = judge(Evidence("real", tuned(0.1, 0.0, 0.2), {}, 0.9), config(meaningful=0.0, negligible=0.0))
    assert not any("takes about" in reason for reason in judgement.reasons)


def test_the_room_over_the_base_is_said() -> None:
    assert any("hardly room for tuning" in reason for reason in judged(good(0.05, 0.01, 0.09)).reasons)
    generated = judged(good(0.05, 0.01, 0.09), "synthetic").reasons
    assert any("above 0.85 on generated queries, which are easier" in reason for reason in generated)
    assert not any("hardly room for tuning" in reason for reason in generated)
    bad = scores(base=0.5, tuned=0.51, drawn={"tuned": (0.45, 0.57)})
    assert any("there is much room" in reason for reason in judged(bad).reasons)
    assert not any("room" in reason for reason in judged(scores(base=0.69, tuned=0.8)).reasons)
    assert not any("room" in reason or "hardly" in reason for reason in judged(tuned(0.1, 0.0, 0.2)).reasons)


def test_the_reader_is_told_what_was_asked() -> None:
    real, generated = judged(tuned(0.1, 0.05, 0.15)), judged(tuned(0.1, 0.05, 0.15), "synthetic")
    assert real.reasons[0] == (
        "On 200 real queries, the tuned model's NDCG@10 is 0.800 and the base model's 0.700: a gain of +0.100 "
        "(95% interval +0.050 to +0.150)."
    )
    assert generated.reasons[0].startswith("On 200 generated queries")
    assert "There are no real queries" in generated.reasons[-1]
    assert not any("There are no real queries" in reason for reason in real.reasons)
    few = judge(Evidence("synthetic", tuned(0.1, 0.05, 0.15), {}, 0.9, real_queries=2), config())
    assert "2 real queries are too few for a verdict: generated ones" in few.reasons[-1]


@pytest.mark.parametrize(("groups", "verdict"), [(1, "keep_base"), (5, "keep_base"), (6, "ship")])
def test_a_handful_of_groups_cannot_prove_a_gain(groups: int, verdict: str) -> None:
    judgement = judged(tuned(0.1, 0.05, 0.15, clusters=groups))
    assert judgement.verdict == verdict
    assert any(f"Here they form {groups} groups; at least 6 can tell" in reason for reason in judgement.reasons) == (
        groups < 6
    )


@pytest.mark.parametrize(
    ("set_scores", "recommend", "why"),
    [
        # the best, beyond luck
        (scores(), "tuned", "scores highest (NDCG@10 0.800), beyond luck above every cheaper system"),
        # the best lies within luck of one that costs less
        (
            scores(hybrid=0.72, tuned_hybrid=0.72, drawn={"tuned": (0.71, 0.9)}),
            "bm25",
            "the tuned model scores higher by +0.080",
        ),
        # the best does not beat one that costs less, but another one does
        (scores(drawn={"tuned": (0.71, 0.9)}), "tuned", "scores highest"),
        (scores(tuned=0.72, drawn={"tuned": (0.700001, 0.74)}), "tuned_hybrid", "beyond luck"),
        (scores(tuned_hybrid=0.82, drawn={"tuned_hybrid": (0.80, 0.84)}), "tuned", "may be luck"),
        # equal scores: the one that costs least
        (scores(bm25=0.9, hybrid=0.9, tuned=0.9, tuned_hybrid=0.9), "bm25", "scores highest"),
        (scores(base=0.9), "base", "costs least to run"),
        # the interval of the difference reaches down to just 0
        (scores(hybrid=0.85, drawn={"hybrid": (0.80, 0.9)}), "tuned", "the hybrid of base model and BM25"),
        (scores(hybrid=0.85, drawn={"hybrid": (0.800001, 0.9)}), "hybrid", "beyond luck"),
    ],
)
def test_the_cheapest_within_luck_of_the_best_is_recommended(set_scores: SetScores, recommend: str, why: str) -> None:
    judgement = judged(set_scores)
    assert judgement.recommend == recommend
    assert why in judgement.reasons[-1]


def test_a_model_that_is_not_kept_is_not_recommended() -> None:
    # hybrid(tuned) beats base beyond luck but not tuned, which does not beat base beyond luck
    set_scores = scores(
        bm25=0.5, bm25_fields=0.5, hybrid=0.6, tuned=0.78, tuned_hybrid=0.8, drawn={"tuned": (0.69, 0.85)}
    )
    judgement = judged(set_scores)
    assert (judgement.verdict, judgement.recommend) == ("keep_base", "base")
    assert judged(scores(), similarity=1.0).recommend == "hybrid"


@pytest.mark.parametrize(
    ("set_scores", "verdict", "recommend"),
    [
        (tuned(0.1, 0.05, 0.15, bm25=0.95, hybrid=0.9), "ship", "tuned"),
        (tuned(0.1, -0.05, 0.25, bm25=0.95, hybrid=0.9), "keep_base", "base"),
        (tuned(0.1, 0.05, 0.15, bm25=0.5, hybrid=0.95, tuned_hybrid=0.99), "ship", "tuned"),
    ],
)
def test_bm25_is_not_judged_by_words_that_it_was_given(set_scores: SetScores, verdict: str, recommend: str) -> None:
    kinds = dict.fromkeys(("keyword", "question"), set_scores)
    judgement = judge(Evidence("synthetic", set_scores, kinds, 0.9, words_given=True), config())
    assert (judgement.verdict, judgement.recommend) == (verdict, recommend)
    assert any("say nothing here" in reason for reason in judgement.reasons)


def test_the_rival_is_the_better_bm25_of_the_choosing_queries() -> None:
    set_scores = tuned(0.1, 0.05, 0.15, bm25=0.79, bm25_fields=0.81)
    plain, fields = (
        judge(Evidence("real", set_scores, {}, 0.9, words=words), config()) for words in ("bm25", "bm25_fields")
    )
    assert plain.verdict == "ship"
    assert fields.verdict == "marginal"
    assert any("BM25 with headings as a field of their own alone scores higher" in reason for reason in fields.reasons)


def against(tuned_scores: SetScores, *rivals: str) -> Judgement:
    return judge(Evidence("real", tuned_scores, {}, 0.9, rivals=rivals), config())


def test_a_rival_that_beats_all_that_has_the_tuned_model_in_it_is_named_and_recommended() -> None:
    answer = against(tuned(0.1, 0.05, 0.15, **{"rival:api": 0.88}), "rival:api")
    assert (answer.verdict, answer.recommend, answer.of_ours) == ("marginal", "rival:api", "tuned")
    assert answer.reasons[1] == (
        "The rival api scores higher than every system with the tuned model, by +0.080 (95% interval +0.030 to "
        "+0.130) over the tuned model: tuning helps, but what you could run instead is better."
    )
    assert any(reason.startswith("Run the rival api (NDCG@10 0.880): it beats") for reason in answer.reasons)


def test_a_rival_changes_nothing_unless_it_wins_beyond_luck() -> None:
    for rival, drawn in ((0.79, (0.79, 0.79)), (0.9, (0.7, 0.95))):
        far: dict[str, Any] = {"bm25": 0.5, "bm25_fields": 0.5, "hybrid": 0.5, "tuned_hybrid": 0.5, "rival:api": rival}
        set_scores = scores(tuned=0.8, drawn={"tuned": (0.75, 0.85), "rival:api": drawn}, **far)
        answer = against(set_scores, "rival:api")
        assert (answer.verdict, answer.recommend, answer.of_ours) == ("ship", "tuned", "tuned")
        assert not any("rival" in reason for reason in answer.reasons)


def test_a_rival_that_the_queries_cannot_judge_decides_nothing() -> None:
    assert against(tuned(0.1, 0.05, 0.15, **{"rival:search": 0.99})).verdict == "ship"


def test_a_rival_is_recommended_where_the_base_is_kept_too_unless_a_system_of_ours_is_better() -> None:
    kept: dict[str, Any] = {
        "tuned": 0.7, "bm25": 0.5, "bm25_fields": 0.5, "hybrid": 0.5, "tuned_hybrid": 0.5, "rival:api": 0.8,
    }  # fmt: skip
    answer = against(scores(**kept), "rival:api")
    assert (answer.verdict, answer.recommend, answer.of_ours) == ("keep_base", "rival:api", "base")
    answer = against(scores(**{**kept, "hybrid": 0.85}), "rival:api")
    assert (answer.verdict, answer.recommend) == ("keep_base", "hybrid")
