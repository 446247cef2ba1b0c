"""Signs that a model's vectors tell nothing: broken weights, a tokenizer of another model, one vector for all texts."""

from collections.abc import Sequence

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from fieldtune.models.tokens import tokenize
from fieldtune.runtime.errors import UserError

_SAMPLE = 64  # texts
_UNKNOWN = 0.5  # share of the tokens
_ALIKE = 1e-3  # between the numbers of unit vectors


def refuse_broken_weights(model: SentenceTransformer, name: str) -> None:
    """Raise UserError if a weight is not finite: every vector that meets it would be NaN."""
    broken = [place for place, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        raise UserError(
            f"the weights of {name} are broken: {broken[0]} has values that are NaN or infinite: get the model again"
        )


def refuse_uninformative(model: SentenceTransformer, name: str, texts: Sequence[str]) -> None:
    """Raise UserError if a sample's tokens are mostly unknown to the model, or its vectors are alike or not finite."""
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    sample = distinct[:: max(1, len(distinct) // _SAMPLE)][:_SAMPLE]
    if not sample:
        return
    unknown = _unknown_share(model, sample)
    if unknown > _UNKNOWN:
        raise UserError(
            f"{unknown:.0%} of the tokens of the passages are unknown to the tokenizer of {name}: it is that of "
            "another model, or the model was not made for this language: copy its own tokenizer, or name another model"
        )
    vectors = np.asarray(model.encode(sample, convert_to_numpy=True, show_progress_bar=False), dtype=np.float64)
    if not np.isfinite(vectors).all():
        raise UserError(
            f"{name} gives vectors with NaN or infinite numbers: its weights are broken: get the model again"
        )
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    if len(sample) > 1 and float(np.abs(unit - unit[0]).max()) < _ALIKE:
        raise UserError(f"{name} gives the same vector for all texts: its weights are broken: get the model again")


def _unknown_share(model: SentenceTransformer, texts: Sequence[str]) -> float:
    """The share of the texts' tokens, special ones aside, that the tokenizer does not know."""
    unknown = getattr(model.tokenizer, "unk_token_id", None)
    special = set(getattr(model.tokenizer, "all_special_ids", [])) - {unknown}
    ids = np.concatenate(tokenize(model, texts, "document").ids)
    words = ids[~np.isin(ids, list(special))]
    return float((words == unknown).mean()) if unknown is not None and len(words) else 0.0
