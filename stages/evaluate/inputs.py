"""The files and models that the stage reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files, real_queries
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.models import base_models, encoder
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.precision import use_bf16
from fieldtune.models.tuned_model import HISTORY, REAL_EVIDENCE
from fieldtune.retrieval import judged_queries
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.runtime import paths
from stages.evaluate import reranker
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.reranker import Reranker


@dataclass(frozen=True)
class Inputs:
    """The corpus, the judged queries, and the results of earlier stages about them."""

    passages: Sequence[dict[str, Any]]
    corpus: Corpus
    generated: list[dict[str, Any]]  # rows of queries.jsonl
    real: list[RealQuery]
    judged: Judged
    trained: list[str]  # the passage of each training pair
    baseline: dict[str, Any]  # its metrics.json
    rivals: dict[str, Any]  # the facts about each of them, by name
    history: dict[str, Any]  # the training's
    evidence: dict[str, list[Any]]  # the real queries that took part in the choice, with half and gain; empty: none

    @property
    def test_rows(self) -> npt.NDArray[np.int64]:
        return self.judged.rows(judged_queries.TEST_SETS)


@dataclass(frozen=True)
class Models:
    base: CachedEncoder
    tuned: CachedEncoder
    reranker: Reranker | None


def read_inputs() -> Inputs:
    passages = files.JsonLines(paths.PASSAGES)
    corpus = Corpus.from_passages(passages)
    evidence = paths.MODEL / REAL_EVIDENCE
    return Inputs(
        passages=passages,
        corpus=corpus,
        generated=list(files.read_jsonl(paths.QUERIES)),
        real=real_queries.read(),
        judged=judged_queries.read((*judged_queries.TEST_SETS, judged_queries.DEV), corpus),
        trained=files.read_table(paths.TRAIN_IDS)["positive_id"],
        baseline=files.read_json(paths.BASELINE_METRICS),
        rivals=files.read_json(paths.RIVALS_METRICS),
        history=files.read_json(paths.MODEL / HISTORY),
        evidence=files.read_table(evidence) if evidence.is_file() else {},
    )


def load_models(config: EvaluateConfig) -> Models:
    """Load all models. Raises UserError if one is missing, is broken, or is not the one that `embed` used."""
    reading = None
    if config.reranker is not None:
        model = reranker.load(Path(config.reranker))
        reading = Reranker(model, bf16=use_bf16(config.precision), batch_size=config.batch_size)
    bf16 = use_bf16(config.precision)
    base_models.refuse_others_than_embedded(config.model, paths.VECTORS)
    tuned = CachedEncoder(
        encoder.load_folder(paths.MODEL),
        paths.MODEL,
        bf16=bf16,
        batch_size=config.batch_size,
        tuned="pinned" not in files.read_json(paths.MODEL / HISTORY),
    )
    base = CachedEncoder(
        encoder.load_base(config.model),
        base_models.locate(config.model),
        bf16=bf16,
        batch_size=config.batch_size,
        name=config.model.name,
    )
    return Models(base=base, tuned=tuned, reranker=reading)
