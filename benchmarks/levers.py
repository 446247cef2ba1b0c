"""What each lever of training is worth: several seeds, on prepared data sets of several domains.

    python -m benchmarks.levers <folder> … [--seeds 3] [--only name …] [--out rows.jsonl]

Each folder is a repository whose `data/` has come as far as `generate` (or further: vectors and data set are made
where they are not there). Trains with each variant below, and mixes each result with the base model at several
shares; measures NDCG@10 on real queries, on held-out generated ones and on dev, by kind. Prints, over the seeds, the
mean and the standard deviation of the gain over the base model; `--out` takes all that was measured.

A variant is a change of conf/config.yaml's `train:`; `tutorial` is sentence-transformers' own recipe (pairs, MNRL,
batch 64, learning rate 2e-5, 3 epochs).
"""

import argparse
import contextlib
import itertools
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from benchmarks.training import EPOCHS, Clock, settings, tutorial_trainer
from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import read_vectors, vectors_file
from fieldtune.models import encoder
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import judged_queries, metrics, ranking
from fieldtune.retrieval.corpus_part import part_of_corpus
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.runtime import paths
from fieldtune.runtime.settings import load
from stages.train import rounds
from stages.train.batches import by_passage
from stages.train.choice import mixture
from stages.train.config import TrainConfig
from stages.train.dev import DevEvaluator
from stages.train.trainer import Round, train
from stages.train.tuning import base_vectors

SHARES = (0.25, 0.5, 0.75, 1.0)
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "3 epochs": {"epochs": 3},
    "learning rate 3e-5": {"learning_rate": 3e-5},
    "learning rate 3e-5, 3 epochs": {"learning_rate": 3e-5, "epochs": 3},
    "learning rate 1e-5, 2 epochs": {"learning_rate": 1e-5, "epochs": 2},
    "learning rate 2e-4": {"learning_rate": 2e-4},
    "no hard negative": {"negatives": 0},
    "2 rounds": {"rounds": 2},
    "masking at .95": {"mask_margin": 0.95},
    "temperature .02": {"temperature": 0.02},
    "temperature .1": {"temperature": 0.1},
    "symmetric": {"symmetric": True},
    "matryoshka 256, 128, 64": {"matryoshka": [256, 128, 64]},
    "hold 1": {"hold": 1.0},
    "hold 5": {"hold": 5.0},
    "hold 5, 3 epochs": {"hold": 5.0, "epochs": 3},
    "lora 16, learning rate 1e-3": {"lora": 16, "learning_rate": 1e-3},
    "batch 32": {"batch_size": 32},
    "batch 256, learning rate 2e-4": {"batch_size": 256, "learning_rate": 2e-4},
}


class Domain:
    """A prepared data set, the working directory being its folder."""

    def __init__(self) -> None:
        self.config = load("train", TrainConfig)
        self.bf16 = use_bf16("auto")
        self.corpus: Corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
        self.pairs = files.read_table(paths.TRAIN)
        self.clusters = files.read_table(paths.CLUSTERS)["cluster"]
        self.cluster_of = dict(zip(self.corpus.texts, self.clusters, strict=True))
        self.passages = read_vectors(paths.VECTORS, "passages")
        self.dev = judged_queries.read(("dev",), self.corpus)
        self.test = judged_queries.read(judged_queries.TEST_SETS, self.corpus)
        queries = list(files.read_jsonl(paths.QUERIES))
        self.kinds = {
            name: {
                query_id: queries[judged_queries.row_of(query_id)]["kind"]
                for query_id in judged.ids
                if query_id[0] == "q"
            }
            for name, judged in (("dev", self.dev), ("test", self.test))
        }
        asked = judged_queries.vectors(self.dev.ids, paths.VECTORS)
        part = part_of_corpus(self.dev, self.corpus, asked, self.passages, 600, 0)
        self.evaluator = DevEvaluator(self.dev, self.corpus, part, self.bf16, batch_size=64)
        self.base = {
            **self._scores("dev", self.dev, asked, self.passages),
            **self._scores("test", self.test, judged_queries.vectors(self.test.ids, paths.VECTORS), self.passages),
        }

    def scores(self, model: SentenceTransformer) -> dict[str, float]:
        """NDCG@10 by query set and kind."""

        def encode(texts: Sequence[str], kind: encoder.Kind) -> Any:
            return encoder.encode(model, texts, kind, bf16=self.bf16, batch_size=64)

        passages = encode(self.corpus.texts, "document")
        return {
            **self._scores("dev", self.dev, encode(self.dev.texts, "query"), passages),
            **self._scores("test", self.test, encode(self.test.texts, "query"), passages),
        }

    def _scores(self, name: str, judged: Judged, queries: Any, passages: Any) -> dict[str, float]:
        values = metrics.per_query(ranking.dense(queries, passages, self.corpus), judged.relevant)["ndcg@10"]
        found = {f"{name}/{of}": float(values[rows].mean()) for of, rows in judged.sets.items() if len(rows)}
        kinds = self.kinds[name]
        for kind in sorted(set(kinds.values())):
            rows = [row for row, query_id in enumerate(judged.ids) if kinds.get(query_id) == kind]
            found[f"{name}/{kind}"] = float(values[rows].mean())
            found[f"{name}/{kind}/n"] = len(rows)
        return found

    def train(self, changes: dict[str, Any], seed: int, evaluator: Any = None) -> SentenceTransformer:
        config = settings(**{**changes, "seed": seed, "model": self.config.model})
        model = encoder.load_base(config.model)
        hard = list(zip(*(v for k, v in self.pairs.items() if k.startswith("negative")), strict=True))
        original = None
        if config.mask_margin is not None or config.hold:
            original = base_vectors(self.pairs["anchor"], self.corpus.texts, self.passages)
        for number in range(config.rounds):
            if number:
                config.negatives = max(1, config.negatives)
                hard = rounds.mine_negatives(model, self.pairs, self.corpus, self.clusters, config, self.bf16)  # type: ignore[assignment]
            rows = by_passage(self.pairs["anchor"], self.pairs["positive"], hard, self.cluster_of)
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                data = Round(rows, original, evaluator or self.evaluator, config, self.bf16)
                train(model, data, Path(folder), Clock(-1, -1), saved_every=math.inf)
        return model

    def tutorial(self, seed: int) -> SentenceTransformer:
        model = encoder.load_base(self.config.model)
        anchors, positives = self.pairs["anchor"], self.pairs["positive"]
        with tempfile.TemporaryDirectory() as folder:
            tutorial_trainer(model, anchors, positives, folder, self.bf16, num_train_epochs=EPOCHS, seed=seed).train()
        return model


def prepare() -> None:
    """Vectors and data set, where they are not there."""
    from stages.dataset.__main__ import work as dataset
    from stages.embed.__main__ import work as embed

    if not (vectors_file(paths.VECTORS, "passages")).is_file():
        print(embed(), flush=True)
    if not paths.QRELS.is_file():
        print(dataset(), flush=True)


def measure(domain: Domain, names: Sequence[str], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """All that is found, a row for each variant, seed and share of the way from the base model."""
    base = encoder.load_base(domain.config.model).state_dict()
    yield {"variant": "base", "seed": 0, "share": 0.0, "scores": domain.base}
    for seed, name in itertools.product(seeds, names):
        model = domain.tutorial(seed) if name == "tutorial" else domain.train(VARIANTS[name], seed)
        ends = {key: value.detach().clone() for key, value in model.state_dict().items()}
        for share in SHARES if name != "tutorial" else (1.0,):
            model.load_state_dict(
                mixture({key: base[key].to(value.device) for key, value in ends.items()}, ends, share)
            )
            yield {"variant": name, "seed": seed, "share": share, "scores": domain.scores(model)}


def summary(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The gain over the base by variant and share, on the real queries and the generated ones."""
    base = rows[0]["scores"]
    columns = [name for name in base if name.startswith("test/") and not name.endswith("/n")]
    yield "| variant | share | " + " | ".join(f"{name} {base[name]:.3f}" for name in columns) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for (name, share), of in itertools.groupby(
        sorted(rows[1:], key=lambda row: (["tutorial", *VARIANTS].index(row["variant"]), row["share"])),
        key=lambda row: (row["variant"], row["share"]),
    ):
        found = [row["scores"] for row in of]
        gains = [[row[column] - base[column] for row in found] for column in columns]
        cells = [f"{mean(gain):+.3f} ± {stdev(gain) if len(gain) > 1 else 0:.3f}" for gain in gains]
        yield f"| {name} | {share} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["tutorial", *VARIANTS], help="names of variants")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.resolve() if arguments.out else None
    for folder in arguments.folders:
        with contextlib.chdir(folder):
            prepare()
            domain, rows = Domain(), []
            for row in measure(domain, arguments.only, range(arguments.seeds)):
                rows.append(row)
                if out:
                    with out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"folder": folder.name, **row}) + "\n")
        print(f"\n{folder.name}\n", *summary(rows), sep="\n", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
