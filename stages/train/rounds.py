"""Several rounds of training, each with hard negatives that the one before found."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_model, save_model
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.models import encoder, processes
from fieldtune.models.encoder import Kind
from fieldtune.retrieval import hard_negatives
from fieldtune.runtime.console import note
from stages.train.config import TrainConfig
from stages.train.trainer import Outcome

_DONE = "done.safetensors"


def load(model: SentenceTransformer, folder: Path) -> None:
    """Load the weights that a round ended with."""
    load_model(model, str(folder / _DONE))


def train_or_resume(model: SentenceTransformer, folder: Path, train: Callable[[Path], Outcome]) -> Outcome:
    """Train a round, or read what it left in `folder` if a later one was killed."""
    done = folder / "done.json"
    if done.is_file():
        load(model, folder)
        return Outcome(**files.read_json(done))
    outcome = train(folder)
    if processes.rank() == 0:
        save_model(model, str(folder / _DONE))
        files.write_json(done, vars(outcome))
    processes.wait()
    return outcome


def mine_negatives(
    model: SentenceTransformer,
    pairs: dict[str, list[Any]],
    corpus: Corpus,
    clusters: Sequence[int],
    config: TrainConfig,
    bf16: bool,
) -> list[list[str]]:
    """Hard negatives of each pair by the model as it is now."""
    note("mining hard negatives with the tuned model")

    def encode(texts: Sequence[str], kind: Kind) -> npt.NDArray[np.float32]:
        label = "encoding the corpus" if kind == "document" else None
        return encoder.encode(
            model, texts, kind, bf16=bf16, batch_size=config.encode_batch_size, label=label, distributed=True
        )

    row_of = {text: row for row, text in enumerate(corpus.texts)}
    positives = [row_of[text] for text in pairs["positive"]]
    chosen, _ = hard_negatives.mine(
        encode(pairs["anchor"], "query"),
        positives,
        encode(corpus.texts, "document"),
        clusters,
        config.mining,
        config.seed,
    )
    return [[corpus.texts[row] for row in rows] for rows in chosen]
