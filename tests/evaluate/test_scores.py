"""What metrics.json says of one query set."""

import numpy as np
import pytest

from stages.evaluate import bootstrap
from stages.evaluate.scores import SYSTEMS, rows_of_kinds, score

NAMES = ("ndcg@10", "mrr@10", "recall@10", "recall@100", "success@1")


def test_a_block_of_metrics_json() -> None:
    numbers = np.random.default_rng(0)
    values = {system: {name: numbers.random(50) for name in NAMES} for system in SYSTEMS}
    rows, groups = np.arange(5, 45), np.arange(50) // 2
    block = score(values, rows, groups, draws=300, confidence=0.9, seed=1).json()

    assert list(block) == [*SYSTEMS, "gain", "intervals", "n", "groups"]
    assert (block["n"], block["groups"]) == (40, 21)  # half of the groups 2 and 22, and 3 … 21
    for system in SYSTEMS:
        assert block[system] == {name: pytest.approx(values[system][name][5:45].mean(), abs=1e-6) for name in NAMES}
        for metric in ("ndcg@10", "mrr@10"):
            found = block["intervals"][system][metric]
            assert found["low"] < found["mean"] < found["high"]
            assert found["mean"] == pytest.approx(block[system][metric], abs=1e-6)
    assert list(block["gain"]) == ["vs_base", "vs_bm25", "vs_hybrid"]
    for other in ("base", "bm25", "hybrid"):
        for metric in ("ndcg@10", "mrr@10"):
            # The bootstrap of the difference itself: the same draws, so the same interval.
            difference = values["tuned"][metric][5:45] - values[other][metric][5:45]
            drawn = bootstrap.means(difference[None], groups[5:45], 300, seed=1)[0]
            low, high = np.quantile(drawn, [0.05, 0.95])
            expected = {"mean": difference.mean(), "low": low, "high": high}
            assert block["gain"][f"vs_{other}"][metric] == pytest.approx(expected, abs=2e-6)


def test_kinds_have_their_rows() -> None:
    found = rows_of_kinds(["task", "keyword", "task"])
    assert {kind: rows.tolist() for kind, rows in found.items()} == {"keyword": [1], "task": [0, 2]}
    assert rows_of_kinds([]) == {}
