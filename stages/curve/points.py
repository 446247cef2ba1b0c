"""The points of the data curve: train on a share of the passages, choose on dev as `train` does, score on the test."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.vectors import read_vectors, vectors_file
from fieldtune.models import encoder, processes
from fieldtune.models.encoder import Kind
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import curve_points, judged_queries, metrics, ranking
from fieldtune.retrieval.curve_points import CurvePoint
from fieldtune.runtime import paths, state
from fieldtune.runtime.console import note
from fieldtune.runtime.settings import load
from stages.curve.config import CurveConfig
from stages.curve.shares import nested
from stages.train.config import TrainConfig
from stages.train.tuning import Tuned, read_inputs, tune

Vectors = npt.NDArray[np.float32]
_CHOSEN = "chosen.json"  # beside the model's files


def measure(config: CurveConfig) -> str:
    """Write data/curve/; what a killed run has measured is not measured again."""
    training = load("train", TrainConfig)
    processes.launch("curve", training.launcher)
    if Path(training.pin).is_dir():
        _write([], [])
        return "none of a pinned model, which was not trained here"
    pairs, pair_ids = files.read_table(paths.TRAIN), files.read_table(paths.TRAIN_IDS)["positive_id"]
    inputs = read_inputs(training, pairs)
    corpus, bf16 = inputs.corpus, use_bf16(config.precision)
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    rows = judged.sets[judged.main_set]
    ids, texts = [judged.ids[row] for row in rows], [judged.texts[row] for row in rows]
    answers = [judged.relevant[row] for row in rows]

    def score(model: Path | None) -> list[float]:
        """NDCG@10 of the model in a folder, all processes together; None: of the base, whose vectors are there."""
        if model is None:
            queries = judged_queries.vectors(ids, paths.VECTORS)
            passages = read_vectors(paths.VECTORS, "passages")
        else:
            loaded = encoder.load_folder(model)

            def encode(texts: list[str], kind: Kind, label: str | None = None) -> Vectors:
                return encoder.encode(
                    loaded, texts, kind, bf16=bf16, batch_size=config.batch_size, label=label, together=True
                )

            queries, passages = encode(texts, "query"), encode(corpus.texts, "document", "encoding passages")
        found: list[float] = metrics.per_query(ranking.dense(queries, passages, corpus), answers)["ndcg@10"].tolist()
        return found

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
        vectors_file(paths.VECTORS, "queries"),
    )
    measured = state.root() / "curve" / files.digest(*depends)
    cluster_of = dict(zip(corpus.texts, inputs.clusters, strict=True))
    clusters = [cluster_of[text] for text in pairs["positive"]]
    points = []
    least = max(2, processes.count())  # one passage has no other as its negative; each process needs one
    for share, of_share in nested(pair_ids, clusters, training.seed, least).items():
        some = {column: [values[row] for row in of_share] for column, values in pairs.items()}
        passages = len({pair_ids[row] for row in of_share})
        note(f"{100 * share:g} % of the training passages: {passages:,}, with {len(of_share):,} pairs")
        folder = measured / f"{share:g}"
        # What a small part does not teach is no mistake that could be mended.
        train = partial(tune, training, inputs, some, folder / "checkpoints", advise=lambda line: None)
        base_kept, values = once(folder, train, score)
        points.append(CurvePoint(share, passages, len(of_share), base_kept, np.array(values)))
    _write(points, ids)
    processes.wait()  # until all have read what is deleted
    if processes.rank() == 0:
        shutil.rmtree(measured, ignore_errors=True)
    scores = ", ".join(f"{np.mean(point.values):.3f} with {100 * point.share:g} %" for point in points)
    scores = scores or "too few training passages for a part of them"
    return f"NDCG@10 on {len(rows):,} {judged.main_set} queries: {scores}"


def once(
    folder: Path, train: Callable[[], Tuned | None], score: Callable[[Path | None], list[float]]
) -> tuple[bool, list[float]]:
    """Train and score, or take what a run that was killed later left in `folder`: whether the base is kept, values."""
    told, model = folder / "point.json", folder / "model"
    if not told.is_file():
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
        processes.wait()  # until all have read what is deleted
        if processes.rank() == 0:
            files.write_json(told, {"base_kept": base_kept, "values": values})
            for done in (model, folder / "checkpoints"):
                shutil.rmtree(done)
        processes.wait()
    found = files.read_json(told)
    return found["base_kept"], found["values"]


def _write(points: Sequence[CurvePoint], ids: Sequence[str]) -> None:
    if processes.rank() != 0:
        return
    with files.replace_dir(paths.CURVE) as folder:
        curve_points.write(folder, points, ids)
