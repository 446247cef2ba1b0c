"""Tuning a model on pairs and choosing the result: the common part of the stages `train` and `curve`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.providers import TYPED, traits
from fieldtune.corpus.vectors import PASSAGES, QUERIES, StoredVectors, open_vectors, read_vectors
from fieldtune.models import base_models, encoder, processes
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import judged_queries
from fieldtune.retrieval.corpus_part import part_by_words, part_of_corpus
from fieldtune.retrieval.halves import DECIDING, second_half
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.self_passages import own_sections
from fieldtune.runtime import paths
from fieldtune.runtime.console import note, progress
from stages.train import choice, diagnosis, real_evidence, rounds
from stages.train.batches import by_passage
from stages.train.choice import choose
from stages.train.config import TrainConfig
from stages.train.dev import DevEvaluator, Measured
from stages.train.real_evidence import Decision, RealEvidence
from stages.train.trainer import Outcome, Round, join, steps_of, train

_NEARLY_ALL = 0.9
_EPOCHS_TYPED = 3  # passes over queries that people typed, or a model wrote in their style


@dataclass(frozen=True)
class Inputs:
    """Inputs of the training and of the choice, besides the training pairs."""

    corpus: Corpus
    clusters: list[int]  # of copies, by passage
    passages: npt.NDArray[np.float32] | StoredVectors  # their vectors by the base model
    judged: Judged  # the dev queries
    kinds: list[str]  # of each of them
    evaluator: DevEvaluator
    before: Measured  # the base model on dev
    furthest: float  # share of the way from the base's weights that the model may go
    bf16: bool


@dataclass(frozen=True)
class Tuned:
    """A model as dev or real queries chose it."""

    model: SentenceTransformer
    outcome: Outcome
    score: float  # its NDCG@10 on dev
    share: float  # of the way from the base model to the best checkpoint; 0: the base model is kept
    decision: Decision
    evidence: RealEvidence | None = None  # of the real queries; None if there are too few, or none were used


def read_inputs(config: TrainConfig) -> Inputs:
    """Read the corpus and the dev queries, and measure the base model on dev."""
    corpus = Corpus.from_passages(files.JsonLines(paths.PASSAGES))
    bf16 = use_bf16(config.precision)
    judged = judged_queries.read(("dev",), corpus)
    queries = read_vectors(paths.VECTORS, QUERIES, judged.texts)
    passages = open_vectors(paths.VECTORS, PASSAGES, corpus.texts)
    part = part_of_corpus(judged, corpus, queries, passages, config.dev_corpus, config.seed)
    evaluator = _evaluator(judged, corpus, part, bf16, config)
    before = evaluator.measure(queries, passages[part])
    clusters = files.read_table(paths.CLUSTERS)["cluster"]
    kinds = judged_queries.labels(judged.ids, "kind")
    furthest = config.keyphrases_share if _are_offline() else 1.0
    return Inputs(corpus, clusters, passages, judged, kinds, evaluator, before, furthest, bf16)


def _evaluator(
    judged: Judged, corpus: Corpus, part: npt.NDArray[np.int64], bf16: bool, config: TrainConfig
) -> DevEvaluator:
    """A measure of the queries against `part`, where a query that is a passage is left out of its own ranking."""
    own = own_sections(judged, files.JsonLines(paths.PASSAGES), corpus.sections)
    return DevEvaluator(judged, own, corpus, part, bf16=bf16, batch_size=config.encode_batch_size)


def with_epochs(config: TrainConfig) -> TrainConfig:
    """The settings with a number of epochs: `train.epochs`, or what suits the training queries."""
    if config.epochs is not None:
        return config
    kinds = judged_queries.labels(files.read_table(paths.TRAIN_IDS)["query_id"], "kind")
    typed = sum(kind in TYPED for kind in kinds)
    return replace(config, epochs=_EPOCHS_TYPED if 2 * typed > len(kinds) else 1)


def _are_offline() -> bool:
    """Tell if nearly all training queries were written without a language model."""
    providers = judged_queries.labels(files.read_table(paths.TRAIN_IDS)["query_id"], "provider")
    return sum(traits(provider).offline for provider in providers) >= _NEARLY_ALL * len(providers)


def tune(
    config: TrainConfig,
    inputs: Inputs,
    pairs: dict[str, list[Any]],
    checkpoints: Path,
    advise: Callable[[str], None] = note,
) -> Tuned | None:
    """Train on the pairs, columns as in train.parquet, and choose; None in all processes but the first.

    The candidate is chosen on dev; real queries, if there are enough, then choose between it and the base. Training
    continues from a killed run's `checkpoints`. `advise` takes each line on what to change if nothing was gained.
    """
    before, evaluator = inputs.before, inputs.evaluator
    evaluator.latest = None  # from a model before this one
    base_models.refuse_others_than_embedded(config.model, paths.VECTORS)
    model = encoder.load_base(config.model)
    outcome, best_round = join(_train_rounds(model, config, inputs, pairs, checkpoints))
    if processes.rank() != 0:
        return None
    if best_round != config.rounds - 1:
        rounds.load(model, checkpoints / str(best_round))
    after = evaluator.latest
    if after is None or outcome.best != outcome.steps:  # the last measurement is not of the kept checkpoint
        after = evaluator.measure_model(model)
    for warning in diagnosis.warnings(outcome, before.score, before.passages, after.passages):
        advise(warning)
    base = encoder.load_base(config.model)
    score, share = choose(model, base, evaluator, outcome, config.interpolations, inputs.furthest)
    if share < 1:
        after = evaluator.measure_model(model)
    dev = _decide_on_dev(after, inputs, config)
    evidence = _ask_real_queries(model, dev, inputs, config)
    decision = real_evidence.decide(dev, evidence, config.certainty)
    if decision.doubt:
        advise(
            f"{decision.doubt}: the base model is kept. More pairs and more real queries would tell; "
            "`train.certainty: 0.5` and `train.real_evidence: 0` accept every gain on dev"
        )
    if decision.keeps_base:
        model.load_state_dict(base.state_dict())
        score, share = before.score, 0.0
    return Tuned(model, outcome, score, share, decision, evidence)


def _train_rounds(
    model: SentenceTransformer, config: TrainConfig, inputs: Inputs, pairs: dict[str, list[Any]], checkpoints: Path
) -> list[Outcome]:
    """Train `model` in place, round by round; it is left at the best checkpoint of the last."""
    cluster_of = dict(zip(inputs.corpus.texts, inputs.clusters, strict=True))
    negatives = _columns(pairs, "negative")
    outcomes: list[Outcome] = []
    for number in range(config.rounds):
        label = f"training on {len(pairs['anchor']):,} pairs"
        if number:
            label += f", round {number + 1}"
            config = replace(config, negatives=max(1, config.negatives))
            negatives = rounds.mine_negatives(model, pairs, inputs.corpus, inputs.clusters, config, inputs.bf16)
        rows = by_passage(pairs["anchor"], pairs["positive"], negatives, cluster_of)
        data = Round(rows, inputs.evaluator, config, inputs.bf16)
        with progress(label, steps_of(len(rows), config)) as bar:
            run = partial(train, model, data, bar=bar, say=note)
            outcomes.append(rounds.train_or_resume(model, checkpoints / str(number), run))
    return outcomes


def _decide_on_dev(after: Measured, inputs: Inputs, config: TrainConfig) -> Decision:
    """The choice by the dev queries, of which `after` is the candidate's measurement."""
    if after.score <= inputs.before.score:
        return Decision(True, "dev")
    gains, clusters = after.values - inputs.before.values, inputs.judged.clusters
    doubt = choice.reason_to_keep_base(gains, clusters, inputs.kinds, config.certainty, config.negligible)
    return Decision(doubt is not None, "dev", doubt)


def _ask_real_queries(
    model: SentenceTransformer, dev: Decision, inputs: Inputs, config: TrainConfig
) -> RealEvidence | None:
    """Rank real test queries with the base model and with `model`; None if they could change nothing."""
    judged = judged_queries.read(("real",), inputs.corpus)
    sample = judged.at(real_evidence.sample_real_queries(judged, config.real_evidence, config.seed))
    second = second_half(sample.clusters, config.seed)
    if second is None or (dev.keeps_base and len(sample.ids) < DECIDING):
        return None
    queries = read_vectors(paths.VECTORS, QUERIES, sample.texts)
    part = part_by_words(sample, inputs.corpus, config.dev_corpus, config.seed)
    evaluator = _evaluator(sample, inputs.corpus, part, inputs.bf16, config)
    before = evaluator.measure(queries, inputs.passages[part])
    gains = evaluator.measure_model(model).values - before.values
    return RealEvidence(sample.ids, sample.clusters, second, gains)


def _columns(pairs: dict[str, list[Any]], name: str) -> list[list[str]]:
    """The texts of all columns `<name>_…`, pair by pair."""
    columns = [column for key, column in pairs.items() if key.startswith(name)]
    return [[column[row] for column in columns] for row in range(len(pairs["anchor"]))]
