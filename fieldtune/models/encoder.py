"""Texts to unit vectors: the one place that loads an embedding model and encodes with it."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.vectors import write_vectors
from fieldtune.models import base_models, processes
from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime.console import progress
from fieldtune.runtime.errors import UserError

# Before the libraries are imported: they ask the hub for updates and draw progress bars of their own.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # set explicitly, or it warns at each new process

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from sentence_transformers.util import batch_to_device
from transformers.utils import logging as transformers_logging

from fieldtune.models import flat_attention
from fieldtune.models.tokens import Kind, Tokens, microbatches, tokenize

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]

_WINDOW = 2048  # texts whose tokens are held at once
_PASSAGE_TOKENS = 256  # the unit of batch sizes

__all__ = ["Kind", "Tokens", "encode", "load_base", "load_folder", "microbatches", "save", "tokenize", "write_all"]


def load_folder(folder: Path, **options: Any) -> SentenceTransformer:
    """Load a Sentence Transformers folder in float32, without asking any hub.

    Raises UserError if the folder does not hold a complete model, or holds one that is not a text transformer.
    """
    try:
        loaded = SentenceTransformer(
            str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32}, **options
        )
    except Exception as error:  # the class depends on what is broken
        raise UserError(
            f"{folder} could not be loaded as an embedding model: {error}\nGet the folder again, or name another one"
        ) from error
    if not isinstance(loaded[0], Transformer) or "text" not in loaded[0].modalities:
        raise UserError(f"{folder} is not a text transformer, the only kind of model that can be tuned")
    return loaded


def load_base(model: ModelConfig, **options: Any) -> SentenceTransformer:
    """Load the base model with its prompts and length limit set, so that they are saved with it.

    Prompts and limit that are null in its config are the folder's own. Raises UserError if the model is missing,
    broken, or does not match its config.
    """
    prompts = {"query": model.query_prompt, "document": model.passage_prompt}
    loaded = load_folder(
        base_models.locate(model),
        prompts={kind: prompt for kind, prompt in prompts.items() if prompt is not None},
        similarity_fn_name="cosine",
        **options,
    )
    if model.passage_prompt is None and not loaded.prompts["document"]:  # by its other names
        loaded.prompts["document"] = loaded.prompts.get("passage") or loaded.prompts.get("corpus") or ""
    dimension = loaded.get_embedding_dimension()
    if model.dimension is not None and dimension != model.dimension:
        raise UserError(
            f"{model.name} gives vectors of {dimension} numbers, but its file in conf/model/ says `dimension: "
            f"{model.dimension}`: correct it, or name the model that was meant"
        )
    positions = _positions(loaded)
    if model.max_tokens is None:
        loaded.max_seq_length = min((limit for limit in (loaded.max_seq_length, positions) if limit), default=None)
        return loaded
    if positions is not None and model.max_tokens > positions:
        raise UserError(
            f"{model.name} reads at most {positions} tokens, but its file in conf/model/ says `max_tokens: "
            f"{model.max_tokens}`: lower it"
        )
    loaded.max_seq_length = model.max_tokens
    return loaded


def _positions(model: SentenceTransformer) -> int | None:
    """The most tokens that a model with a table of positions can read; None without such a table."""
    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding):
            # RoBERTa and its relatives count positions from after the padding's.
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None


def save(model: SentenceTransformer, folder: Path) -> None:
    """Save a model as a Sentence Transformers folder, with its prompts, and without a card that quotes texts."""
    model.save_pretrained(str(folder), create_model_card=False)


def encode(
    model: SentenceTransformer,
    texts: Sequence[str],
    kind: Kind,
    *,
    bf16: bool,
    batch_size: int,
    label: str | None = None,
    distributed: bool = False,
) -> npt.NDArray[np.float32]:
    """Encode texts with the prompt for `kind`: unit vectors, float32 [len(texts), dimension], in input order.

    `batch_size` counts passages of 256 tokens: more are encoded at once if texts are shorter. `label` shows a progress
    bar. `bf16` computes under autocast; the vectors are normalised in float32. `distributed`: every process that runs
    the stage encodes its share, and all get the vectors.
    """
    dimension = model.get_embedding_dimension() or 0
    vectors = np.zeros((len(texts), dimension), dtype=np.float32)
    # Texts of similar length share a window and, by their tokens, a batch: 1% of it is padding. Batches of whole
    # texts in order of their characters, as the library makes them, are up to a fifth padding.
    order = sorted(range(len(texts)), key=lambda row: (-len(texts[row]), row))
    if distributed:
        order = order[processes.rank() :: processes.count()]
    training = model.training
    model.eval()
    if bf16:
        flat_attention.enable(model)
    with (
        progress(label or "", len(order)) as bar,
        torch.inference_mode(),
        torch.autocast(model.device.type, torch.bfloat16, enabled=bf16),
    ):
        for start in range(0, len(order), _WINDOW):
            window = np.array(order[start : start + _WINDOW])
            tokens = tokenize(model, [texts[row] for row in window], kind)
            for rows in microbatches([len(ids) for ids in tokens.ids], batch_size * _PASSAGE_TOKENS):
                features = batch_to_device(tokens.batch(rows), model.device)
                embedded = model(features)["sentence_embedding"][:, :dimension].float()
                vectors[window[rows]] = torch.nn.functional.normalize(embedded, dim=1).cpu().numpy()
                bar.advance(len(rows))
    model.train(training)
    if distributed:
        processes.add_up(vectors, model.device)
    return vectors


def write_all(
    model: SentenceTransformer,
    folder: Path,
    *,
    passages: Sequence[str],
    queries: Sequence[str],
    real: Sequence[str],
    bf16: bool,
    batch_size: int,
) -> None:
    """Encode the texts of passages, of generated and of real queries, and write a vectors folder.

    If several processes run the stage together, each encodes its share, and the first one writes.
    """
    texts: list[tuple[str, Sequence[str], Kind]] = [
        ("passages", passages, "document"),
        ("queries", queries, "query"),
        ("real", real, "query"),
    ]
    with files.replace_dir(folder) if processes.rank() == 0 else nullcontext() as temporary:
        for name, rows, kind in texts:
            vectors = encode(
                model, rows, kind, bf16=bf16, batch_size=batch_size, label=f"encoding {name}", distributed=True
            )
            if temporary is not None:
                write_vectors(temporary, name, vectors)
    processes.wait()
