"""Stage `train`: MNRL fine-tuning of the base model → data/model/. Run as `python -m stages.train`."""

import shutil
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages import encoder, files, paths, query_sets, ranking, state
from stages.console import note, progress
from stages.corpus_part import part_of_corpus
from stages.encoder import Kind
from stages.precision import use_bf16
from stages.running import run
from stages.settings import load
from stages.train.batches import Vectors, by_passage
from stages.train.config import TrainConfig
from stages.train.dev import METRIC, DevEvaluator
from stages.train.trainer import Outcome, steps_of, train


def work() -> str:
    config = load("train", TrainConfig)
    corpus = ranking.corpus(list(files.read_jsonl(paths.PASSAGES)))
    pairs = files.read_table(paths.TRAIN)
    clusters = files.read_table(paths.CLUSTERS)["cluster"]
    hard = list(zip(*(column for name, column in pairs.items() if name.startswith("negative")), strict=True))
    rows = by_passage(
        pairs["anchor"],
        pairs["positive"],
        hard or [()] * len(pairs["anchor"]),
        dict(zip(corpus.texts, clusters, strict=True)),
    )
    bf16 = use_bf16(config.precision)
    model = encoder.load_base(config.model)

    judged = query_sets.read(("dev",), corpus)
    queries = query_sets.vectors(judged.ids, paths.VECTORS)
    passages = files.read_vectors(paths.VECTORS / "passages.safetensors")
    part = part_of_corpus(judged, corpus, queries, passages, config.dev_corpus, config.seed)
    evaluator = DevEvaluator(judged, corpus, part, bf16, batch_size=8)
    base = evaluator.score(queries, passages[part])
    masking = None if config.mask_margin is None else base_vectors(pairs["anchor"], corpus.texts, passages)

    checkpoints = state.root() / "checkpoints" / files.digest(paths.CONFIG / "train.yaml", paths.TRAIN)
    shutil.rmtree(checkpoints, ignore_errors=True)
    steps = steps_of(len(rows), config)
    with progress(f"training on {len(pairs['anchor']):,} pairs", steps) as bar:
        outcome = train(model, rows, masking, evaluator, config, bf16, checkpoints, bar)
    best, step = dict(outcome.dev)[outcome.best], outcome.best
    if best <= base:  # the base model is a candidate like every checkpoint
        note(f"no checkpoint beats the base model on dev (NDCG@10 {base:.3f}): the base model is kept")
        model, step, best = encoder.load_base(config.model), 0, base
    with files.replace_dir(paths.MODEL) as folder:
        encoder.save(model, folder)
        files.write_json(folder / paths.MODEL_HISTORY.name, history(base, outcome))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return f"{steps} steps in {'bf16' if bf16 else 'fp32'}; dev NDCG@10 {base:.3f} → {best:.3f} at step {step}"


def base_vectors(
    queries: Sequence[str], texts: Sequence[str], passages: npt.NDArray[np.float32]
) -> dict[Kind, Vectors]:
    """The base model's vectors of the training queries, row by row as in train.parquet, and of all passages."""
    asked = query_sets.vectors(files.read_table(paths.TRAIN_IDS)["query_id"], paths.VECTORS)
    return {
        "query": Vectors(dict(zip(queries, range(len(asked)), strict=True)), asked),
        "document": Vectors(dict(zip(texts, range(len(passages)), strict=True)), passages),
    }


def history(base: float, outcome: Outcome) -> dict[str, list[dict[str, float]]]:
    """The two curves as DVC plots them: it lays the lists of a file side by side, so no name may be in both."""
    return {
        "loss": [{"step": step, "loss": loss} for step, loss in outcome.losses],
        "dev": [{"dev_step": step, METRIC: score} for step, score in [(0, base), *outcome.dev]],
    }


if __name__ == "__main__":
    run("train", work)
