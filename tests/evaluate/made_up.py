"""Scores and pages that a test says the numbers of."""

from typing import Any

import numpy as np

from stages.evaluate.bootstrap import Interval
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.examples import Example, Found
from stages.evaluate.report import html
from stages.evaluate.scores import METRICS, SYSTEMS, SetScores
from stages.evaluate.verdict import Judgement
from stages.models import ModelConfig

MEANS = {"base": 0.70, "bm25": 0.72, "hybrid": 0.74, "tuned": 0.80, "tuned_hybrid": 0.78}
OTHERS = ("mrr@10", "recall@10", "recall@100", "success@1")


def config(**changes: Any) -> EvaluateConfig:
    usual: dict[str, Any] = {"draws": 1000, "confidence": 0.95, "meaningful": 0.05, "negligible": 0.02, "seed": 0}
    model = ModelConfig(
        name="a/model", package=None, path="m", query_prompt="", passage_prompt="", max_tokens=64, dimension=32,
        license="mit",
    )  # fmt: skip
    return EvaluateConfig(model=model, queries="q", precision="fp32", batch_size=8, **{**usual, **changes})


def scores(
    n: int = 200, groups: int = 150, drawn: dict[str, tuple[float, float]] | None = None, **ndcg: float
) -> SetScores:
    """NDCG@10 by system; half of a system's draws are the first, half the second of `drawn`, else all its mean.

    So the 95 % interval of a difference reaches from the one to the other.
    """
    of = {**MEANS, **ndcg}
    ends = {system: (drawn or {}).get(system, (mean, mean)) for system, mean in of.items()}
    return SetScores(
        n=n,
        groups=groups,
        means={system: {"ndcg@10": of[system], **dict.fromkeys(OTHERS, of[system])} for system in SYSTEMS},
        intervals={s: {metric: Interval(of[s], *ends[s]) for metric in METRICS} for s in SYSTEMS},
        _draws={s: dict.fromkeys(METRICS, np.repeat(ends[s], 50)) for s in SYSTEMS},
        _confidence=0.95,
    )


def example(query: str, gain: float = 0.5, section: str = "guide.md#Copy Image") -> Example:
    right, wrong = Found(section, True), Found("other.md#Else", False)
    return Example(query, gain, [section], [wrong, wrong, wrong], [right, wrong])


def page(**changes: Any) -> str:
    """A report, by default of a good model."""
    wide = {"tuned": (0.77, 0.83), "base": (0.66, 0.74)}
    parts: dict[str, Any] = {
        "judgement": Judgement("ship", "tuned", ["A gain of 0.05 or more is meaningful."]),
        "sets": {name: scores(n, drawn=wide) for name, n in (("real", 2378), ("real_hard", 478), ("synthetic", 333))},
        "kinds": {kind: scores(80, drawn=wide) for kind in ("keyword", "question")},
        "wins": [example("how to copy an image")],
        "losses": [example("where is it", -0.4)],
        "dataset": {"generated": 3360, "dropped": {"round_trip": 85}, "guidance": "reliable: 2,677 training pairs"},
        "advice": "base NDCG@10 0.700 lies between 0.7 and 0.85",
        "base_model": "a/model",
    }
    return html(**{**parts, **changes})
