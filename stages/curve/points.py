"""The points of the data curve: train on a share of the passages, choose on dev as `train` does, score on the test."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors, shards
from fieldtune.models import encoder, processes
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import curve_points, judged_queries, metrics, ranking
from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.self_passages import OwnSections, leave_out, own_sections
from fieldtune.runtime import paths, state
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from stages.curve.config import CurveConfig
from stages.curve.shares import nested
from stages.train.config import TrainConfig
from stages.train.tuning import Tuned, read_inputs, tune, with_epochs

_CHOSEN = "chosen.json"  # beside the model's files


def measure(config: CurveConfig) -> str:
    """Write data/curve/; measurements of a killed run are reused."""
    training = with_epochs(load("train", TrainConfig))
    processes.launch("curve", training.launcher)
    if Path(training.pin).is_dir():
        _write([], [])
        return "none for a pinned model, which was not trained here"
    pairs, pair_ids = files.read_table(paths.TRAIN), files.read_table(paths.TRAIN_IDS)["positive_id"]
    inputs = read_inputs(training)
    corpus = inputs.corpus
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    test = judged.at(judged.sets[judged.main_set])
    own = own_sections(test, files.JsonLines(paths.PASSAGES), corpus.sections)
    score = partial(_score, test, own, corpus, config.batch_size, use_bf16(config.precision))
    measured = _state()
    cluster_of = dict(zip(corpus.texts, inputs.clusters, strict=True))
    clusters = [cluster_of[text] for text in pairs["positive"]]
    points = []
    least = max(2, processes.count())  # a single passage has no other as its negative; each process needs one
    for share, share_rows in nested(pair_ids, clusters, training.seed, least).items():
        share_pairs = {column: [values[row] for row in share_rows] for column, values in pairs.items()}
        passages = len({pair_ids[row] for row in share_rows})
        note(f"{100 * share:g}% of the training passages: {passages:,}, with {len(share_rows):,} pairs")
        folder = measured / f"{share:g}"
        # If a small part teaches nothing, nothing needs to be fixed.
        train = partial(tune, training, inputs, share_pairs, folder / "checkpoints", advise=lambda line: None)
        base_kept, values = measure_or_resume(folder, train, score)
        points.append(CurvePoint(share, passages, len(share_rows), base_kept, np.array(values)))
    _write(points, test.ids)
    processes.wait()  # until all have read what is deleted next
    if processes.rank() == 0:
        shutil.rmtree(measured, ignore_errors=True)
    scores = ", ".join(f"{np.mean(point.values):.3f} with {100 * point.share:g}%" for point in points)
    scores = scores or "too few training passages to take a part of them"
    return f"NDCG@10 on {len(test.ids):,} {judged.main_set} queries: {scores}"


def _state() -> Path:
    """The folder for measurements, named for everything that they depend on."""
    depends = (
        paths.CONFIG / "curve.yaml",
        paths.CONFIG / "train.yaml",
        paths.TRAIN,
        paths.TRAIN_IDS,
        paths.CLUSTERS,
        paths.QRELS,
        paths.PASSAGES,
        paths.QUERIES,
        paths.REAL,
        *shards(paths.VECTORS, QUERIES),
    )
    return state.root() / "curve" / files.digest(*depends)


def _score(
    judged: Judged, own: OwnSections, corpus: Corpus, batch_size: int, bf16: bool, model: Path | None
) -> list[float]:
    """NDCG@10 of the model in a folder, encoded in all processes; None: of the base, which `embed` has encoded."""
    if model is None:
        queries = read_vectors(paths.VECTORS, QUERIES, judged.texts)
        passages = read_vectors(paths.VECTORS, PASSAGES, corpus.texts)
    else:
        encode = partial(encoder.encode, encoder.load_folder(model), bf16=bf16, batch_size=batch_size, distributed=True)
        queries = encode(judged.texts, "query")
        passages = encode(corpus.texts, "document", label="encoding passages")
    ranked = leave_out(ranking.dense(queries, passages, corpus), own)
    values: list[float] = metrics.per_query(ranked, judged.grades)["ndcg@10"].tolist()
    return values


def measure_or_resume(
    folder: Path, train: Callable[[], Tuned | None], score: Callable[[Path | None], list[float]]
) -> tuple[bool, list[float]]:
    """Train and score, or read what a run that was killed later left in `folder`: whether the base is kept, values."""
    point, model = folder / "point.json", folder / "model"
    if not point.is_file():
        trained = model.is_dir()
        processes.wait()  # until all have looked
        if not trained:
            tuned = train()
            if tuned is not None:
                with files.replace_dir(model) as temporary:
                    encoder.save(tuned.model, temporary)
                    files.write_json(temporary / _CHOSEN, {"base_kept": tuned.share == 0})
            processes.wait()
        base_kept = files.read_json(model / _CHOSEN)["base_kept"]
        values = score(None if base_kept else model)
        processes.wait()  # until all have read what is deleted next
        if processes.rank() == 0:
            files.write_json(point, {"base_kept": base_kept, "values": values})
            for done in (model, folder / "checkpoints"):
                shutil.rmtree(done)
        processes.wait()
    stored = files.read_json(point)
    return stored["base_kept"], stored["values"]


def _write(points: Sequence[CurvePoint], ids: Sequence[str]) -> None:
    if processes.rank() != 0:
        return
    with files.replace_dir(paths.CURVE) as folder:
        curve_points.write(folder, points, ids)
