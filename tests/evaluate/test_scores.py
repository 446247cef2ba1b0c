"""The block of metrics.json for one query set."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from fieldtune.retrieval.significance import Interval
from fieldtune.retrieval.systems import SYSTEMS
from stages.evaluate import bootstrap
from stages.evaluate.randomisation import p_values
from stages.evaluate.scores import holm, score
from tests.evaluate.made_up import config, scores

NAMES = ("ndcg@10", "mrr@10", "recall@10", "recall@100", "success@1", "first_rank")


def test_a_block_of_metrics_json() -> None:
    numbers = np.random.default_rng(0)
    values = {system: {name: numbers.random(50) for name in NAMES} for system in SYSTEMS}
    rows, groups = np.arange(5, 45), np.arange(50) // 2
    block = score(values, rows, groups, config(draws=300, confidence=0.9, seed=1)).json()

    assert list(block) == [*SYSTEMS, "gain", "intervals", "detectable", "n", "groups"]
    assert (block["n"], block["groups"]) == (40, 21)  # half of the groups 2 and 22, and 3 … 21
    for system in SYSTEMS:
        assert block[system] == {name: pytest.approx(values[system][name][5:45].mean(), abs=1e-6) for name in NAMES}
        for metric in ("ndcg@10", "mrr@10"):
            interval = block["intervals"][system][metric]
            assert interval["low"] < interval["mean"] < interval["high"]
            assert interval["mean"] == pytest.approx(block[system][metric], abs=1e-6)
    assert list(block["gain"]) == ["vs_base", "vs_bm25", "vs_bm25_fields", "vs_hybrid"]
    for other in ("base", "bm25", "bm25_fields", "hybrid"):
        for metric in ("ndcg@10", "mrr@10"):
            # The bootstrap of the difference itself: the same draws, so the same interval.
            difference = values["tuned"][metric][5:45] - values[other][metric][5:45]
            drawn = bootstrap.means(difference[None], groups[5:45], 300, seed=1)[0]
            interval = bootstrap.interval(difference.mean(), drawn, 0.9, 21, (-1.0, 1.0))
            expected = {**interval.json(), "p": p_values(difference[None], groups[5:45], 300, seed=1)[0]}
            assert block["gain"][f"vs_{other}"][metric] == pytest.approx(expected, abs=2e-6)


def test_what_gain_so_many_queries_can_tell_from_luck() -> None:
    # the interval of the gain reaches from .06 to .14: half of it is .04
    set_scores = scores(n=61, tuned=0.8, base=0.7, drawn={"tuned": (0.76, 0.84)})
    assert set_scores.detectable == 0.04
    assert set_scores.json()["detectable"] == 0.04
    assert set_scores.needed(0.04) == 61
    assert set_scores.needed(0.02) == 250  # four times as many, 244, to two digits
    assert set_scores.needed(0.08) == 16
    assert scores(clusters=3).detectable == 1.0  # too few for a verdict


def test_several_comparisons_are_corrected_by_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.001, 0.6, 0.02]) == pytest.approx([1.0, 0.004, 1.0, 0.06])
    assert holm([]) == []


def test_one_rival_is_apart_at_a_level_at_which_one_of_five_is_not() -> None:
    rivals = [f"rival:{name}" for name in "abcde"]
    equal: dict[str, Any] = dict.fromkeys(rivals, 0.8)
    made = scores(clusters=100_000, **equal)
    spread = norm.ppf((np.arange(2000) + 0.5) / 2000)
    # Of the lead over `tuned`: in standard errors 2.1 of one, 3.5 of another, 0 of the rest
    draws = {system: {"ndcg@10": np.full(2000, 0.8)} for system in made.means}
    means = dict.fromkeys(rivals, 0.8) | {"rival:a": 0.821, "rival:b": 0.835}
    for rival, mean in means.items():
        draws[rival] = {"ndcg@10": mean + 0.01 * spread}
    intervals = {s: {"ndcg@10": Interval(means.get(s, 0.8), 0, 1)} for s in made.means}
    made = replace(made, _draws=draws, intervals=intervals)
    assert list(made.beyond_luck(["rival:a"], "tuned")) == ["rival:a"]
    assert list(made.beyond_luck(rivals, "tuned")) == ["rival:b"]
    assert list(made.beyond_luck(["rival:a", "rival:b"], "tuned")) == ["rival:b", "rival:a"]
