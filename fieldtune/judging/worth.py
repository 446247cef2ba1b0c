"""Advice on the number of real queries to judge, and what that many were worth on public sets."""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

ENOUGH = 100  # queries with an answer, from which real ones decide whether the tuned model is exported
LEAST = 6  # places with an answer that a verdict needs
TRAIN = 150  # queries with an answer that a verdict needs before any can be spared for training

Measured = Sequence[Mapping[str, Any]]  # a row per `set`, `beside` and number of `human` queries, with the mean `gain`


def measured() -> Measured:
    """The means of `python -m benchmarks.real_queries`; none until they are measured."""
    lines = importlib.resources.files("fieldtune.judging").joinpath("worth.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def advice(answered: int, rows: Measured | None = None) -> str:
    """Advice for a person who asks how many more; `answered` have an answer, `rows` are those `measured`."""
    if answered < ENOUGH:
        text = (
            f"{ENOUGH - answered:,} more with an answer, {ENOUGH} in all: from there real queries decide whether the "
            f"tuned model is exported. {LEAST} places with an answer are enough for a verdict about what people type, "
            "with a wide interval."
        )
    else:
        text = (
            f"{answered:,} have an answer: enough to decide whether the tuned model is exported. From {TRAIN} on, "
            "`fieldtune judge --split` proposes to train on the rest."
        )
    return " ".join([text, *_quoted(measured() if rows is None else rows)])


def _quoted(rows: Measured) -> list[str]:
    """A sentence on queries beside generated ones, whose gain is over that of the generated ones alone."""
    gains: dict[int, list[float]] = {}
    styled_alone = {row["set"]: row["gain"] for row in rows if row["beside"] == "styled" and not row["human"]}
    for row in rows:
        if row["beside"] == "styled" and row["human"] and row["set"] in styled_alone:
            gains.setdefault(row["human"], []).append(row["gain"] - styled_alone[row["set"]])
    known = [human for human in sorted(gains) if len(gains[human]) == len(styled_alone)]
    if not known:
        return []
    each = ", ".join(f"{human:,}: {fmean(gains[human]):+.3f}" for human in known)
    sets = f"{len(styled_alone)} public sets"
    return [f"What so many real queries added to generated ones as training data, NDCG@10, mean of {sets}: {each}."]
