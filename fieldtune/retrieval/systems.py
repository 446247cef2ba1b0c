"""The systems that are compared, and their names."""

from collections.abc import Mapping
from typing import Any

LABELS = {
    "base": "base",
    "bm25": "BM25",
    "bm25_fields": "BM25(headings)",
    "hybrid": "hybrid(base)",
    "tuned": "tuned",
    "tuned_hybrid": "hybrid(tuned)",
}
SYSTEMS = tuple(LABELS)
IN_SENTENCES = {
    "base": "the base model",
    "bm25": "BM25",
    "bm25_fields": "BM25 with headings as a field of their own",
    "hybrid": "the hybrid of base model and BM25",
    "tuned": "the tuned model",
    "tuned_hybrid": "the hybrid of tuned model and BM25",
}
IN_MODEL_CARD = {
    "base": "base model",
    "bm25": "BM25",
    "bm25_fields": "BM25 with headings",
    "hybrid": "hybrid of base model and BM25",
    "tuned": "**this model**",
    "tuned_hybrid": "hybrid of this model and BM25",
}
IN_MODEL_CARD_OF_BASE = IN_MODEL_CARD | {
    "base": "**this model**",
    "hybrid": "hybrid of this model and BM25",
    "tuned": "tuned model",
    "tuned_hybrid": "hybrid of tuned model and BM25",
}
# From what costs a team least to what costs most: a new model is one file, a hybrid a second index.
CHEAPEST_FIRST = ("base", "bm25", "bm25_fields", "tuned", "hybrid", "tuned_hybrid")
UNTUNED = ("base", "bm25", "bm25_fields", "hybrid")  # the tuned model is compared with these
WITHOUT_WORDS = ("base", "tuned")  # those without BM25 in them
RIVAL = "rival:"  # stands before the name of a system of `rivals:`


def label(system: str) -> str:
    """The short name of a system; a rival has its own."""
    return LABELS.get(system) or system.removeprefix(RIVAL)


def in_sentence(system: str) -> str:
    """A system as a sentence names it."""
    return IN_SENTENCES.get(system) or f"the rival {label(system)}"


def recommended_of_ours(metrics: Mapping[str, Any]) -> str:
    """The system to run of those that an export can hold; `metrics` is metrics.json."""
    return str(metrics.get("recommend_of_ours", metrics["recommend"]))


def exports_base(verdict: str, recommend: str) -> bool:
    """True if the export holds the base model: it is to be kept, or its hybrid is recommended, of our systems."""
    return verdict == "keep_base" or recommend in ("base", "hybrid")
