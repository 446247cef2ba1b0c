"""Tell if two models are the same."""

from typing import Any

import torch
from sentence_transformers import SentenceTransformer


def same_model(one: SentenceTransformer, other: SentenceTransformer) -> bool:
    """Compare weights, prompts, length limit and pooling; return whether both give every text the same vector."""
    return _settings(one) == _settings(other) and _same_weights(one, other)


def _settings(model: SentenceTransformer) -> tuple[Any, ...]:
    modules = list(model.children())
    pooling: list[dict[str, Any]] = [getattr(module, "get_config_dict", dict)() for module in modules[1:]]
    prompts = {name: prompt for name, prompt in model.prompts.items() if prompt}
    return prompts, model.max_seq_length, [type(module).__name__ for module in modules], pooling


def _same_weights(one: SentenceTransformer, other: SentenceTransformer) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
