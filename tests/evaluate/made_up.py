"""Scores and pages that a test says the numbers of."""

from dataclasses import fields
from typing import Any

import numpy as np

from fieldtune.models.base_models import ModelConfig
from fieldtune.retrieval.significance import Interval
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.data_curve import DataCurve, ScoredPoint
from stages.evaluate.deployment import Sizes, deployments
from stages.evaluate.evaluation import Background, Evaluation
from stages.evaluate.examples import Example, Result
from stages.evaluate.probe import Probe
from stages.evaluate.report import html
from stages.evaluate.scores import METRICS, SetScores
from stages.evaluate.vectors import VectorScore
from stages.evaluate.verdict import Judgement

MEANS = {"base": 0.70, "bm25": 0.72, "bm25_fields": 0.71, "hybrid": 0.74, "tuned": 0.80, "tuned_hybrid": 0.78}
OTHERS = ("mrr@10", "recall@1", "recall@5", "recall@10", "recall@100", "success@1")


def config(**changes: Any) -> EvaluateConfig:
    usual: dict[str, Any] = {"draws": 1000, "confidence": 0.95, "meaningful": 0.05, "negligible": 0.02, "seed": 0}
    usual |= {"good_enough": 0.85, "worth_it": 0.7, "forgetting": 0.05, "reranker": None}
    usual |= {"reranker_queries": 100, "real_evidence": 400, "data_curve": False}
    model = ModelConfig(
        name="a/model", package=None, path="m", query_prompt="", passage_prompt="", max_tokens=64, dimension=32,
        license="mit", language="en",
    )  # fmt: skip
    return EvaluateConfig(model=model, launcher=None, precision="fp32", batch_size=8, **{**usual, **changes})


def scores(
    n: int = 200, clusters: int = 150, drawn: dict[str, tuple[float, float]] | None = None, **ndcg: float
) -> SetScores:
    """NDCG@10 by system; half of a system's draws are the first, half the second of `drawn`, else all its mean.

    So the 95% interval of a difference reaches from the one to the other.
    """
    means = {**MEANS, **ndcg}
    ends = {system: (drawn or {}).get(system, (mean, mean)) for system, mean in means.items()}
    return SetScores(
        n=n,
        clusters=clusters,
        means={
            system: {"ndcg@10": means[system], **dict.fromkeys(OTHERS, means[system]), "first_rank": 4.25}
            for system in means
        },
        intervals={s: {metric: Interval(means[s], *ends[s], known=clusters >= 6) for metric in METRICS} for s in means},
        p={other: dict.fromkeys(METRICS, 0.0123) for other in means if not other.startswith("tuned")},
        _draws={s: dict.fromkeys(METRICS, np.repeat(ends[s], 50)) for s in means},
        _confidence=0.95,
    )


def example(
    query: str,
    gain: float = 0.5,
    section: str = "guide.md#Copy Image",
    kind: str = "real",
    seen: bool = False,
    overlap: float = 0.5,
) -> Example:
    right, wrong = Result(section, "How to copy it.", True), Result("other.md#Else", "Something else.", False)
    return Example(
        query, gain, kind, seen=seen, overlap=overlap, answers=[section], base=[wrong] * 3, tuned=[right, wrong]
    )


def curve(whole: int = 800, n: int = 2378) -> DataCurve:
    """The gains of four shares of `whole` training passages."""
    gains = {0.125: 0.02, 0.25: 0.05, 0.5: 0.08, 1.0: 0.1}
    points = [
        ScoredPoint(
            share,
            round(share * whole),
            round(3 * share * whole),
            share == 0.125,
            np.zeros(0),
            0.7 + gain,
            Interval(gain, gain - 0.01, gain + 0.012),
        )
        for share, gain in gains.items()
    ]
    return DataCurve(n, 0.7, points, Interval(0.02, 0.01, 0.03), "yes", "More queries would help: so it is said.")


def dropped(query: str, **changes: str) -> dict[str, str]:
    usual = {"passage_id": "guide.md#copy-image", "title": "Guide Copy Image", "why": "also written for other.md#else"}
    return {"query": query, **usual, **changes}


def lengths(n: int, median: float, histogram: dict[str, int]) -> dict[str, Any]:
    return {"n": n, "median": median, "histogram": histogram}


def dataset(**changes: Any) -> dict[str, Any]:
    """A data set's report.json."""
    side = {"pairs": 3000, "passages": 810, "negatives": 4, "random_negatives": 7}
    usual = {
        "generated": 3360,
        "dropped": {"ambiguous": 25, "round_trip": 85},
        "kept": 3250,
        "passages": 3827,
        "copies": {"passages": 212, "sections_alike": 40},
        "split": {"unit": "section", "groups": 2900},
        "train": side,
        "dev": {**side, "pairs": 130},
        "test": {**side, "pairs": 127},
        "guidance": "reliable: 3,000 training pairs, 2,000 or more are enough",
        "steps": {
            "generated": 3360,
            "after_ambiguous": 3335,
            "after_round_trip": 3250,
            "kept": 3250,
            "real_for_training": 7,
            "train": 3000,
            "dev": 130,
            "test": 127,
        },
        "kinds": {"keyword": 1625, "question": 812, "real": 7, "task": 813},
        "lengths": {
            "queries": {
                "generated": lengths(3250, 12.5, {"1": 0, "2": 13, "3–5": 650, "6–7": 2587, "8 or more": 0}),
                "real": lengths(2378, 7, {"1": 0, "2": 0, "3–5": 1189, "6–7": 1189, "8 or more": 0}),
                "log": lengths(400, 3, {"1": 0, "2": 0, "3–5": 400, "6–7": 0, "8 or more": 0}),
            },
            "passages": lengths(3827, 67, {"1–24": 1000, "25–49": 2827}),
        },
        "openings": {
            "generated": {"how": 1625, "what": 0, "others": 1625},
            "real": {"how": 0, "what": 1189, "others": 1189},
            "log": {"how": 0, "what": 0, "others": 400},
        },
        "examples": {"generated": ["how do I <b>"], "real": ["what is it", "what now"], "log": ["it"]},
        "leakage": {
            "generated": {"n": 3250, "mean": 0.489, "histogram": {"under 50 %": 1950, "50 % or more": 1300}},
            "real": {"n": 2378, "mean": 0.837, "histogram": {"under 50 %": 1189, "50 % or more": 1189}},
        },
        "remarks": ["Generated queries have 12.5 words, those of your search log 3 (medians)"],
        "dropped_examples": {
            "ambiguous": [dropped("list them")],
            "round_trip": [dropped("what is it", why="rank 734")],
        },
    }
    return {**usual, **changes}


def ingest(**changes: Any) -> dict[str, Any]:
    """The report.json of the stage `ingest`."""
    usual = {
        "documents": 1043,
        "unreadable": [{"source": "old/plan.pdf", "reason": "it is encrypted"}],
        "empty": 3,
        "skipped": {"hidden": 4, ".png": 12},
        "sections": 3088,
        "passages": 3827,
        "sections_cut": 399,
        "boilerplate_blocks": 61,
        "left_out": {"records_without_text": 14},
        "languages": {"en": 3790, "de": 37},
    }
    return {**usual, **changes}


def real(**changes: Any) -> dict[str, Any]:
    """The report.json of the stage `real`."""
    unmatched = {
        "where": "queries.csv, line 7",
        "query": "move an image",
        "place": {"source": "guide.md", "section": "Move Image"},
        "candidates": ["guide.md#Copy Image", "guide.md#Share Image"],
    }
    usual = {"queries": 2385, "test": 2378, "dev": 0, "train": 7, "log": 400}
    return {**usual, "unmatched_rows": 1, "unmatched": [unmatched], **changes}


def evaluation(**changes: Any) -> Evaluation:
    """An evaluation, by default of a good model; `changes` are fields of it and of its background."""
    wide = {"tuned": (0.77, 0.83), "base": (0.66, 0.74)}
    parts: dict[str, Any] = {
        "judgement": Judgement("ship", "tuned", ["A gain of 0.05 or more is meaningful."]),
        "main_set": "real",
        "test_set": "fedcba9876543210",
        "sets": {name: scores(n, drawn=wide) for name, n in (("real", 2378), ("real_hard", 478), ("synthetic", 333))},
        "kinds": {kind: scores(80, drawn=wide) for kind in ("keyword", "question")},
        "wins": [example("how to copy an image")],
        "losses": [example("where is it", -0.4)],
        "dataset": dataset(),
        "ingest": ingest(),
        "real": real(),
        "advice": "base NDCG@10 0.700 is between 0.7 and 0.85",
        "base_model": "a/model",
        "weights": {"hybrid": 0.6, "tuned_hybrid": 0.9},
        "heading_share": 0.1,
        "crossfitted_shares": {"hybrid": {"halves": [0.6, 0.7], "ndcg@10": 0.739}},
        "deployments": deployments(
            scores().means, Sizes(90_900_000, 5_878_272, 4_000_000, 300_000), {"hybrid": 0.6, "tuned_hybrid": 0.9}, 0.1
        ),
        "negligible": 0.02,
        "meaningful": 0.05,
        "confidence": 0.95,
        "history": {
            "loss": [{"step": 1, "loss": 0.4}, {"step": 19, "loss": 0.125}],
            "dev": [{"dev_step": 0, "dev_ndcg@10": 0.795}, {"dev_step": 19, "dev_ndcg@10": 0.852}],
        },
        "cost": {"claude-haiku-5-5": {"input_tokens": 1_593_037, "output_tokens": 434_585, "cost_usd": 0.377}},
        "sizes": {"the model": 90_900_000, "vectors of the 3,827 passages": 5_878_272},
        "settings": "0123456789abcdef",
        "vectors": [
            VectorScore(384, "float32", 0.8, 1_536_000_000),
            VectorScore(384, "int8", 0.799, 384_000_000),
            VectorScore(384, "binary", 0.78, 48_000_000),
            VectorScore(192, "float32", 0.77, 768_000_000),
            VectorScore(192, "int8", 0.769, 192_000_000),
            VectorScore(192, "binary", 0.71, 24_000_000),
        ],
        "probe": Probe(60, 0.95, 0.94, 0.05),
    }
    parts |= changes
    background = {field.name: parts.pop(field.name) for field in fields(Background)}
    return Evaluation(background=Background(**background), similarity=0.9, **parts)


def page(**changes: Any) -> str:
    return html(evaluation(**changes))
