"""Texts to unit vectors: the one place that loads an embedding model and encodes with it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stages import files, models
from stages.console import progress
from stages.errors import UserError
from stages.models import ModelConfig

# Before the libraries are imported: they ask the hub for updates and draw bars of their own.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

_CHUNK = 256  # texts between two steps of the progress bar

Kind = Literal["query", "document"]


def passage_text(passage: dict[str, Any]) -> str:
    """What the encoder sees of a passage; its length limit counts all of it."""
    return f"{passage['title']}\n{passage['text']}"


def load_folder(folder: Path, **options: Any) -> SentenceTransformer:
    """Load a Sentence Transformers folder in float32, without asking any hub."""
    try:
        return SentenceTransformer(str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32}, **options)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder} does not load as an embedding model: {error}") from error


def load_base(model: ModelConfig, **options: Any) -> SentenceTransformer:
    """Load the base model with its prompts and length limit set, so that they are saved with it.

    Raises UserError where the model is missing, broken, or of another dimension than its config says.
    """
    loaded = load_folder(
        models.locate(model),
        prompts={"query": model.query_prompt, "document": model.passage_prompt},
        similarity_fn_name="cosine",
        **options,
    )
    loaded.max_seq_length = model.max_tokens
    dimension = loaded.get_embedding_dimension()
    if model.dimension is not None and dimension != model.dimension:
        raise UserError(f"{model.name} gives vectors of {dimension} numbers, its config says {model.dimension}")
    return loaded


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
) -> npt.NDArray[np.float32]:
    """Encode texts with the prompt for `kind`: unit vectors, float32 [len(texts), dimension], in input order.

    `label` shows a progress bar. `bf16` computes under autocast; the vectors are normalised in float32.
    """
    vectors = np.zeros((len(texts), model.get_embedding_dimension() or 0), dtype=np.float32)
    # Neighbours of like length share a batch, so that little of it is padding; equal lengths keep input order.
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
    encode_kind = model.encode_query if kind == "query" else model.encode_document
    with progress(label or "", len(texts)) as bar, torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            encoded = encode_kind(
                [texts[i] for i in chunk], batch_size=batch_size, show_progress_bar=False, convert_to_tensor=True
            )
            vectors[chunk] = torch.nn.functional.normalize(encoded.float(), dim=1).cpu().numpy()
            bar.advance(len(chunk))
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
    """Encode the texts of passages, of generated and of real queries, and write a vectors folder."""
    texts: list[tuple[str, Sequence[str], Kind]] = [
        ("passages", passages, "document"),
        ("queries", queries, "query"),
        ("real", real, "query"),
    ]
    with files.replace_dir(folder) as temporary:
        for name, of, kind in texts:
            vectors = encode(model, of, kind, bf16=bf16, batch_size=batch_size, label=f"encoding {name}")
            files.write_vectors(temporary / f"{name}.safetensors", vectors)
