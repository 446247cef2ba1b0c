"""A model that was tuned before, used as it is: new documents can be searched, and the vectors in production stay."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.models import encoder, tuned_model
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from stages.train.dev import METRIC, DevEvaluator, Measured

_NEW_PASSAGES = 0.2  # share of the corpus from which a pinned model should be tuned again


def use_pinned_model(pinned: Path, evaluator: DevEvaluator, measured: Measured, corpus: Corpus) -> str:
    """Write data/model/ with a previously tuned model as it is; `measured` is the base model on dev.

    Raises UserError if the folder contains no model, or one whose dimension is not the base's.
    """
    model = encoder.load_folder(pinned)
    base, dimension = measured.score, measured.passages.shape[1]
    if model.get_embedding_dimension() != dimension:
        raise UserError(
            f"pin: {pinned} gives vectors of {model.get_embedding_dimension()} numbers, the base model of {dimension}: "
            "set `model:` in params.yaml to the one that it was tuned from"
        )
    score = evaluator.measure_folder(model, pinned).score
    before = pinned / tuned_model.PASSAGES
    tuned_on = set(before.read_text(encoding="utf-8").split()) if before.is_file() else set()
    new = len(set(passage_hashes(corpus.texts)) - tuned_on)
    stale = bool(tuned_on) and new >= _NEW_PASSAGES * len(corpus.texts)
    share = f"{new:,} of {len(corpus.texts):,} passages"
    with files.replace_dir(paths.MODEL) as folder:
        encoder.save(model, folder)
        history = {
            "loss": [],
            "dev": [{"dev_step": 0, METRIC: base}, {"dev_step": 1, METRIC: round(score, 6)}],
            "pinned": {"passages": len(corpus.texts), "new": new if tuned_on else None, "stale": stale},
        }
        files.write_json(folder / tuned_model.HISTORY, history)
        if tuned_on:
            files.write_text(folder / tuned_model.PASSAGES, before.read_text(encoding="utf-8"))
    if score <= base:
        note(f"on dev the pinned model is no better than the base model (NDCG@10 {base:.3f} → {score:.3f}): tune again")
    elif stale:
        note(f"{share} are new to the pinned model: tune again (`pin: {paths.NONE}` in params.yaml)")
    novelty = f"{share} are new to it" if tuned_on else "its training passages are unknown"
    return f"{pinned} is used as it is; {novelty}; dev NDCG@10 {base:.3f} → {score:.3f}"


def passage_hashes(texts: Sequence[str]) -> list[str]:
    """A hash of each passage, sorted: it shows whether a passage is new, but not its text."""
    return sorted({hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts})
