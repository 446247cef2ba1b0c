"""The block of metrics.json for one query set."""

import numpy as np
import pytest

from fieldtune.retrieval.systems import SYSTEMS
from stages.evaluate import bootstrap
from stages.evaluate.randomisation import p_values
from stages.evaluate.scores import score
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
