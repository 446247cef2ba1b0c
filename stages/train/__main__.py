"""Stage `train`: MNRL fine-tuning of the base model → data/model/. Run as `python -m stages.train`."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from sentence_transformers import SentenceTransformer

from stages import encoder, files, paths, processes, query_sets, ranking, state
from stages.console import Bar, note, progress
from stages.corpus_part import part_of_corpus
from stages.encoder import Kind
from stages.errors import UserError
from stages.precision import use_bf16
from stages.ranking import Corpus
from stages.running import run
from stages.settings import load
from stages.train import choice, diagnosis, guard, pinned, rounds
from stages.train.batches import Vectors, by_passage
from stages.train.choice import choose
from stages.train.config import TrainConfig
from stages.train.dev import METRIC, DevEvaluator
from stages.train.trainer import Outcome, joined, steps_of, train

KEYPHRASES = "keyphrases"  # the provider that writes queries offline


def work() -> str:
    config = load("train", TrainConfig)
    processes.together("train", config.launcher)
    corpus = ranking.corpus(list(files.read_jsonl(paths.PASSAGES)))
    bf16 = use_bf16(config.precision)
    judged = query_sets.read(("dev",), corpus)
    queries = query_sets.vectors(judged.ids, paths.VECTORS)
    passages = files.read_vectors(paths.VECTORS / "passages.safetensors")
    part = part_of_corpus(judged, corpus, queries, passages, config.dev_corpus, config.seed)
    evaluator = DevEvaluator(judged, corpus, part, bf16, batch_size=8)
    before = evaluator.measure(queries, passages[part])
    base = before.score
    pin = Path(config.pin)
    if pin.is_dir():
        return pinned.take(pin, evaluator, before, corpus) if processes.rank() == 0 else ""
    if not pin.is_file() or pin.stat().st_size > 1:  # data/none.jsonl is a line end
        raise UserError(f"pin: {pin} is no folder of a model; without one: `pin: data/none.jsonl` in params.yaml")

    pairs = files.read_table(paths.TRAIN)
    clusters = files.read_table(paths.CLUSTERS)["cluster"]
    needed = config.mask_margin is not None or config.hold > 0
    original = base_vectors(pairs["anchor"], corpus.texts, passages) if needed else None
    # What the run depends on; the base model's weights show in its vectors.
    inputs = (
        paths.CONFIG / "train.yaml",
        paths.TRAIN,
        paths.PASSAGES,
        paths.QRELS,
        paths.VECTORS / "queries.safetensors",
    )
    checkpoints = state.root() / "checkpoints" / files.digest(*inputs)
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
                return train(model, rows, original, evaluator, config, bf16, folder, bar, note)

            outcomes.append(rounds.once(model, checkpoints / str(number), of))
    outcome, best = joined(outcomes)
    if processes.rank() != 0:
        return ""
    if best != config.rounds - 1:
        rounds.load(model, checkpoints / str(best))
    if evaluator.latest is None or outcome.best != outcome.steps:  # what was measured last is not what was kept
        evaluator(model)
    assert evaluator.latest is not None
    after = evaluator.latest
    for warning in diagnosis.warnings(outcome, base, before.passages, after.passages):
        note(warning)
    original_model = encoder.load_base(config.model)
    asked = query_sets.labels(files.read_table(paths.TRAIN_IDS)["query_id"], "provider")
    furthest = config.keyphrases_share if set(asked) == {KEYPHRASES} else 1.0
    score, share = choose(model, original_model, evaluator, base, outcome, config.interpolations, furthest)
    if 0 < share < 1:
        evaluator(model)
        after = evaluator.latest
    kinds = query_sets.labels(judged.ids, "kind")
    doubt = choice.doubt(after.values - before.values, judged.groups, kinds, config.certainty) if share else None
    if share and doubt is None:
        doubt = _guarded(model, corpus, passages, config, bf16)
    if doubt:
        note(
            f"{doubt}: the base model is kept. More pairs and more real queries can tell; `train.certainty: 0.5` and "
            "`train.guard: 0` take every gain"
        )
        model.load_state_dict(original_model.state_dict())
        score, share = base, 0.0
    if share and config.matryoshka and model.transformers_model is not None:
        sizes = [*config.matryoshka, model.get_embedding_dimension()]
        model.transformers_model.config.matryoshka_dimensions = sorted(sizes)  # vLLM's key: the service reads it too
    with files.replace_dir(paths.MODEL) as folder:
        encoder.save(model, folder)
        files.write_json(folder / paths.MODEL_HISTORY.name, history(base, outcome, share, doubt))
        files.write_text(
            folder / paths.MODEL_PASSAGES.name, "".join(f"{line}\n" for line in pinned.known(corpus.texts))
        )
    shutil.rmtree(checkpoints, ignore_errors=True)
    said = "the base model is kept" if share == 0 else f"step {outcome.best}"
    mixed = f", {share:.0%} of the way from the base model" if 0 < share < 1 else ""
    arithmetic = "bf16" if bf16 else "fp32"
    return f"{outcome.steps} steps in {arithmetic}; dev NDCG@10 {base:.3f} → {score:.3f}: {said}{mixed}"


def _guarded(
    model: SentenceTransformer, corpus: Corpus, passages: npt.NDArray[np.float32], config: TrainConfig, bf16: bool
) -> str | None:
    """What the real queries have against the tuned model."""
    judged = query_sets.read(("real",), corpus)
    if not len(rows := guard.some(judged, config.guard, config.seed)):
        return None
    asking = judged.at(rows)
    queries = query_sets.vectors(asking.ids, paths.VECTORS)
    part = part_of_corpus(asking, corpus, queries, passages, config.dev_corpus, config.seed)
    evaluator = DevEvaluator(asking, corpus, part, bf16, batch_size=8)
    before = evaluator.measure(queries, passages[part])
    evaluator(model)
    assert evaluator.latest is not None
    return guard.doubt(evaluator.latest.values - before.values, asking.groups, config.seed)


def base_vectors(
    queries: Sequence[str], texts: Sequence[str], passages: npt.NDArray[np.float32]
) -> dict[Kind, Vectors]:
    """The base model's vectors of the training queries, row by row as in train.parquet, and of all passages."""
    asked = query_sets.vectors(files.read_table(paths.TRAIN_IDS)["query_id"], paths.VECTORS)
    return {
        "query": Vectors(dict(zip(queries, range(len(asked)), strict=True)), asked),
        "document": Vectors(dict(zip(texts, range(len(passages)), strict=True)), passages),
    }


def history(base: float, outcome: Outcome, share: float, doubt: str | None) -> dict[str, Any]:
    """The two curves as DVC plots them: it lays the lists of a file side by side, so no name may be in both."""
    return {
        "loss": [{"step": step, "loss": loss} for step, loss in outcome.losses],
        "dev": [{"dev_step": step, METRIC: score} for step, score in [(0, base), *outcome.dev]],
        "chosen": {"step": outcome.best, "share": round(share, 6), "doubt": doubt},
    }


def _columns(pairs: dict[str, list[Any]], name: str) -> list[list[str]]:
    """The texts of all columns `<name>_…`, pair by pair."""
    columns = [column for key, column in pairs.items() if key.startswith(name)]
    return [[column[row] for column in columns] for row in range(len(pairs["anchor"]))]


def _rows(
    pairs: dict[str, list[Any]], corpus: Corpus, clusters: Sequence[int], negatives: Sequence[Sequence[str]]
) -> Dataset:
    return by_passage(pairs["anchor"], pairs["positive"], negatives, dict(zip(corpus.texts, clusters, strict=True)))


if __name__ == "__main__":
    run("train", work)
