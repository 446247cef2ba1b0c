"""Texts to unit vectors: the one place that loads an embedding model and encodes with it."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.models import base_models, model_folder, processes
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
from fieldtune.models.fixed_shapes import Batch, FlatBatches, PaddedBatches
from fieldtune.models.tokens import Kind, Tokens, first_position, tokenize

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]

_WINDOW = 2048  # texts whose tokens are held at once
_PASSAGE_TOKENS = 256  # the unit of batch sizes
_CPU_TOKENS = 512  # of a batch, at most

# Part of what vectors are kept by (fieldtune/models/kept_vectors.py): raise it when a change of the code, or of a
# library, changes vectors. tests/models/test_golden_vectors.py tells.
ENCODING = 2

__all__ = ["Kind", "Tokens", "encode", "encode_rows", "load_base", "load_folder", "save", "tokenize"]


def load_folder(folder: Path, **options: Any) -> SentenceTransformer:
    """Load a Sentence Transformers folder in float32, without asking any hub.

    Raises UserError if the folder does not hold a complete model, or holds one that is not a text transformer.
    """
    model_folder.refuse_others(folder)
    try:
        loaded = SentenceTransformer(
            str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32}, **options
        )
    except Exception as error:  # what a broken file raises depends on the file
        if code := model_folder.own_code(folder):
            raise UserError(
                f"{folder} needs code of its own ({code}), which fieldtune does not run: name another model"
            ) from error
        raise UserError(
            f"{folder} does not load as an embedding model: {error}\nGet the folder again, or name another one"
        ) from error
    model_folder.refuse_without_tokenizer(folder)
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
    _rename_prompts(loaded, model)
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


# Names that other tools and models' authors give to the two prompts.
_PROMPT_NAMES: dict[Kind, tuple[str, ...]] = {
    "query": ("search_query", "queries", "retrieval_query", "retrieval.query", "Retrieval-query", "question"),
    "document": (
        *("passage", "corpus", "search_document", "documents", "passages", "doc", "retrieval_document"),
        *("retrieval_passage", "retrieval.passage", "Retrieval-document"),
    ),
}


def _rename_prompts(loaded: SentenceTransformer, model: ModelConfig) -> None:
    """Take the folder's own prompts by their other names, unless the settings have prompts."""
    for kind, setting in (("query", model.query_prompt), ("document", model.passage_prompt)):
        if setting is None and not loaded.prompts.get(kind):
            names = _PROMPT_NAMES["query" if kind == "query" else "document"]
            loaded.prompts[kind] = next((loaded.prompts[name] for name in names if loaded.prompts.get(name)), "")


def assumptions(loaded: SentenceTransformer, model: ModelConfig) -> list[str]:
    """A sentence on each thing about a base model that its folder does not say, and that changes its vectors."""
    folder = base_models.locate(model)
    lines = []
    if model_folder.assumed_pooling(folder):
        mode = getattr(loaded[1], "pooling_mode", "mean") if len(loaded) > 1 else "mean"
        lines.append(
            f"{folder} has no modules.json, which says how tokens become a vector: {mode} pooling is assumed; with "
            "that file from the model's source the base model's scores may differ"
        )
    own = model.query_prompt is None and model.passage_prompt is None
    if own and not any(loaded.prompts.get(kind) for kind in _PROMPT_NAMES):
        others = sorted(name for name, prompt in loaded.prompts.items() if prompt)
        if others:
            lines.append(
                f"{folder} has prompts named {', '.join(others)}, and none is known as that of queries or passages: "
                "none is used; set query_prompt and passage_prompt in the model's file in conf/model/"
            )
    return lines


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
    # A tokenizer that has encoded is saved with how it cuts: so is one whose texts all came from the store.
    tokenize(model, ["a"], "document")
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

    A text's vector depends on the text alone, not on the others. `batch_size` counts passages of 256 tokens, see
    `batch_tokens`. `label` shows a progress bar. `bf16` computes under autocast; the vectors are normalised in
    float32. `distributed`: every process that runs the stage encodes its share, and all have the vectors.
    """
    vectors = np.zeros((len(texts), model.get_embedding_dimension() or 0), dtype=np.float32)
    rows = range(len(texts))
    share = rows[processes.rank() :: processes.count()] if distributed else rows
    with progress(label or "", len(share)) as bar:

        def collect(rows: Sequence[int], batch: npt.NDArray[np.float32]) -> None:
            vectors[rows] = batch
            bar.advance(len(rows))

        encode_rows(model, texts, share, kind, collect, bf16=bf16, batch_size=batch_size)
    if distributed:
        processes.add_up(vectors, model.device)
    return vectors


def encode_rows(
    model: SentenceTransformer,
    texts: Sequence[str],
    rows: Sequence[int],
    kind: Kind,
    on_batch: Callable[[Sequence[int], npt.NDArray[np.float32]], None],
    *,
    bf16: bool,
    batch_size: int,
) -> None:
    """Encode the texts in these rows as `encode` does; `on_batch` gets rows with their vectors, some at a time."""
    training = model.training
    model.eval()
    if bf16:
        flat_attention.enable(model)
    dimension = model.get_embedding_dimension() or 0
    try:
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
            for tokens, batch in _fixed_batches(model, texts, rows, kind, batch_tokens(model, batch_size)):
                features = replace(tokens, ids=batch.ids).batch(range(len(batch.ids)), batch.length)
                embedded = model(batch_to_device(features, model.device))["sentence_embedding"]
                unit = torch.nn.functional.normalize(embedded[: len(batch.rows), :dimension].float(), dim=1)
                on_batch(batch.rows, unit.cpu().numpy())
    finally:
        model.train(training)


def batch_tokens(model: SentenceTransformer, batch_size: int) -> int:
    """The tokens of a batch: `batch_size` times 256, and on a CPU at most 512.

    There larger batches leave the caches (1,024 tokens: a sixth slower), and more is filled up at the end.
    """
    tokens = batch_size * _PASSAGE_TOKENS
    return min(tokens, _CPU_TOKENS) if model.device.type == "cpu" else tokens


def _fixed_batches(
    model: SentenceTransformer, texts: Sequence[str], rows: Sequence[int], kind: Kind, budget: int
) -> Iterator[tuple[Tokens, Batch]]:
    """Batches of fixed shapes with the tokens that they were made of."""
    limits = [limit for limit in (model.max_seq_length, _positions(model)) if limit]
    limit = min(limits, default=None)
    waiting: PaddedBatches | FlatBatches = PaddedBatches(budget, limit)
    if first_position(model) is not None:
        waiting = FlatBatches(budget, limit, model.tokenizer.pad_token_id or 0)
    for start in range(0, len(rows), _WINDOW):
        window = rows[start : start + _WINDOW]
        tokens = tokenize(model, [texts[row] for row in window], kind)
        for row, ids in zip(window, tokens.ids, strict=True):
            if (full := waiting.add(row, ids)) is not None:
                yield tokens, full
    for short in waiting.rest():
        yield tokens, short
