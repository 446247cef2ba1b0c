"""Models for comparison: those of `evaluate.compare`, and whether two models are the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from fieldtune.models import checks, encoder
from fieldtune.models.cached_encoder import CachedEncoder


def named_models(folders: Sequence[str], *, bf16: bool, batch_size: int) -> dict[str, CachedEncoder]:
    """The models in these folders, by the folder's name, or by its whole path if two have the same name.

    Raises UserError if one is not found or cannot be loaded.
    """
    checks.check_compared(folders)
    names = [Path(folder).name for folder in folders]
    models: dict[str, CachedEncoder] = {}
    for folder, name in zip(folders, names, strict=True):
        models[name if names.count(name) == 1 else folder] = CachedEncoder(
            encoder.load_folder(Path(folder)), Path(folder), bf16=bf16, batch_size=batch_size
        )
    return models


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
