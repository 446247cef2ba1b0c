"""Tuning a model on pairs, and choosing on dev what of it is kept: what the stages `train` and `curve` do alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.providers import traits
from fieldtune.corpus.vectors import read_vectors
from fieldtune.models import base_models, encoder, processes
from fieldtune.models.encoder import Kind
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import judged_queries
from fieldtune.retrieval.corpus_part import part_by_words, part_of_corpus
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.runtime import paths
from fieldtune.runtime.console import Bar, note, progress
from stages.train import choice, diagnosis, guard, rounds
from stages.train.batches import Vectors, by_passage
from stages.train.choice import choose
from stages.train.config import TrainConfig
from stages.train.dev import DevEvaluator, Measured
from stages.train.trainer import Outcome, joined, steps_of, train

_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Inputs:
    """What a model is tuned and chosen with, beside the training pairs."""

    corpus: Corpus
    clusters: list[int]  # of copies, by passage
    passages: npt.NDArray[np.float32]  # their vectors by the base model
    original: dict[Kind, Vectors] | None  # the base model's, where the loss needs them
    judged: Judged  # the dev queries
    kinds: list[str]  # of each of them
    evaluator: DevEvaluator
    before: Measured  # the base model on dev
    furthest: float  # share of the way from the base's weights that the model may go
    bf16: bool


@dataclass(frozen=True)
class Tuned:
    """A model as dev chose it."""

    model: SentenceTransformer
    outcome: Outcome
    score: float  # its NDCG@10 on dev
    share: float  # of the way from the base model to the best checkpoint; 0: the base model is kept
    doubt: str | None  # why it is kept though it scores less on dev
    guarded: int  # real queries that were asked


def read_inputs(config: TrainConfig, pairs: Mapping[str, Sequence[str]]) -> Inputs:
    """Read them; `pairs` are the columns of train.parquet."""
    corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
    bf16 = use_bf16(config.precision)
    judged = judged_queries.read(("dev",), corpus)
    queries = judged_queries.vectors(judged.ids, paths.VECTORS)
    passages = read_vectors(paths.VECTORS, "passages")
    part = part_of_corpus(judged, corpus, queries, passages, config.dev_corpus, config.seed)
    evaluator = DevEvaluator(judged, corpus, part, bf16, batch_size=config.encode_batch_size)
    before = evaluator.measure(queries, passages[part])
    clusters = files.read_table(paths.CLUSTERS)["cluster"]
    needed = config.mask_margin is not None or config.hold > 0
    original = base_vectors(pairs["anchor"], corpus.texts, passages) if needed else None
    kinds = judged_queries.labels(judged.ids, "kind")
    providers = judged_queries.labels(files.read_table(paths.TRAIN_IDS)["query_id"], "provider")
    offline = sum(traits(provider).offline for provider in providers) >= _NEARLY_ALL * len(providers)
    furthest = config.keyphrases_share if offline else 1.0
    return Inputs(corpus, clusters, passages, original, judged, kinds, evaluator, before, furthest, bf16)


def tune(
    config: TrainConfig,
    inputs: Inputs,
    pairs: dict[str, list[Any]],
    checkpoints: Path,
    advise: Callable[[str], None] = note,
) -> Tuned | None:
    """Train on the pairs, columns as in train.parquet, and choose on dev; None in all processes but the first.

    What a killed run left in `checkpoints` is gone on with. `advise` is told what to mend where nothing was gained.
    """
    config = replace(config)  # what follows changes it
    corpus, clusters, judged, evaluator = inputs.corpus, inputs.clusters, inputs.judged, inputs.evaluator
    before, bf16 = inputs.before, inputs.bf16
    base = before.score
    evaluator.latest = None  # of a model before this one
    base_models.refuse_others_than_embedded(config.model, paths.VECTORS)
    model = encoder.load_base(config.model)
    rows = _rows(pairs, corpus, clusters, _columns(pairs, "negative"))
    outcomes: list[Outcome] = []
    for number in range(config.rounds):
        if number:
            config.negatives = max(1, config.negatives)
            rows = _rows(pairs, corpus, clusters, rounds.mined(model, pairs, corpus, clusters, config, bf16))
        label = f"training on {len(pairs['anchor']):,} pairs" + (f", round {number + 1}" if number else "")
        with progress(label, steps_of(len(rows), config)) as bar:

            def of(folder: Path, rows: Dataset = rows, bar: Bar = bar) -> Outcome:
                return train(model, rows, inputs.original, evaluator, config, bf16, folder, bar, note)

            outcomes.append(rounds.once(model, checkpoints / str(number), of))
    outcome, best = joined(outcomes)
    if processes.rank() != 0:
        return None
    if best != config.rounds - 1:
        rounds.load(model, checkpoints / str(best))
    if evaluator.latest is None or outcome.best != outcome.steps:  # what was measured last is not what was kept
        evaluator(model)
    assert evaluator.latest is not None
    after = evaluator.latest
    for warning in diagnosis.warnings(outcome, base, before.passages, after.passages):
        advise(warning)
    original_model = encoder.load_base(config.model)
    score, share = choose(model, original_model, evaluator, base, outcome, config.interpolations, inputs.furthest)
    if 0 < share < 1:
        evaluator(model)
        after = evaluator.latest
    gains = after.values - before.values
    doubt = choice.doubt(gains, judged.clusters, inputs.kinds, config.certainty, config.negligible) if share else None
    guarded = 0
    if share and doubt is None:
        guarded, doubt = _guarded(model, corpus, inputs.passages, config, bf16)
    if doubt:
        advise(
            f"{doubt}: the base model is kept. More pairs and more real queries can tell; `train.certainty: 0.5` and "
            "`train.guard: 0` take every gain"
        )
        model.load_state_dict(original_model.state_dict())
        score, share = base, 0.0
    return Tuned(model, outcome, score, share, doubt, guarded)


def _guarded(
    model: SentenceTransformer, corpus: Corpus, passages: npt.NDArray[np.float32], config: TrainConfig, bf16: bool
) -> tuple[int, str | None]:
    """How many real queries are asked, and what they have against the tuned model."""
    judged = judged_queries.read(("real",), corpus)
    if not len(rows := guard.some(judged, config.guard, config.seed)):
        return 0, None
    asking = judged.at(rows)
    queries = judged_queries.vectors(asking.ids, paths.VECTORS)
    part = part_by_words(asking, corpus, config.dev_corpus, config.seed)
    evaluator = DevEvaluator(asking, corpus, part, bf16, batch_size=config.encode_batch_size)
    before = evaluator.measure(queries, passages[part])
    evaluator(model)
    assert evaluator.latest is not None
    return len(rows), guard.doubt(evaluator.latest.values - before.values, asking.clusters, config.seed)


def base_vectors(
    queries: Sequence[str], texts: Sequence[str], passages: npt.NDArray[np.float32]
) -> dict[Kind, Vectors]:
    """The base model's vectors of the training queries, row by row as in train.parquet, and of all passages."""
    asked = judged_queries.vectors(files.read_table(paths.TRAIN_IDS)["query_id"], paths.VECTORS)
    return {
        "query": Vectors(dict(zip(queries, range(len(asked)), strict=True)), asked),
        "document": Vectors(dict(zip(texts, range(len(passages)), strict=True)), passages),
    }


def _columns(pairs: dict[str, list[Any]], name: str) -> list[list[str]]:
    """The texts of all columns `<name>_…`, pair by pair."""
    columns = [column for key, column in pairs.items() if key.startswith(name)]
    return [[column[row] for column in columns] for row in range(len(pairs["anchor"]))]


def _rows(
    pairs: dict[str, list[Any]], corpus: Corpus, clusters: Sequence[int], negatives: Sequence[Sequence[str]]
) -> Dataset:
    return by_passage(pairs["anchor"], pairs["positive"], negatives, dict(zip(corpus.texts, clusters, strict=True)))
