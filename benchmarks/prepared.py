"""A prepared data set: trainings on it, and their NDCG@10 by query set and kind."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from benchmarks.recipes import EPOCHS, Clock, settings, tutorial_trainer
from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors, shards
from fieldtune.models import encoder
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import judged_queries, metrics, ranking
from fieldtune.retrieval.corpus_part import part_of_corpus
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.self_passages import own_sections
from fieldtune.runtime import paths
from fieldtune.runtime.settings import load
from stages.train import rounds
from stages.train.batches import by_passage
from stages.train.config import TrainConfig
from stages.train.dev import DevEvaluator
from stages.train.trainer import Round, train
from stages.train.tuning import with_epochs


def prepare() -> None:
    """Vectors and data set, if they do not exist yet."""
    from stages.dataset.__main__ import work as dataset
    from stages.embed.__main__ import work as embed

    if not shards(paths.VECTORS, PASSAGES):
        print(embed(), flush=True)
    if not paths.QRELS.is_file():
        print(dataset(), flush=True)


class Domain:
    """A prepared data set, the working directory being its folder."""

    def __init__(self) -> None:
        self.config = with_epochs(load("train", TrainConfig))
        self.bf16 = use_bf16("auto")
        self.corpus: Corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
        self.pairs = files.read_table(paths.TRAIN)
        self.clusters = files.read_table(paths.CLUSTERS)["cluster"]
        self.cluster_of = dict(zip(self.corpus.texts, self.clusters, strict=True))
        self.passages = read_vectors(paths.VECTORS, PASSAGES, self.corpus.texts)
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
        dev_queries = read_vectors(paths.VECTORS, QUERIES, self.dev.texts)
        part = part_of_corpus(self.dev, self.corpus, dev_queries, self.passages, 600, 0)
        own = own_sections(self.dev, list(files.read_jsonl(paths.PASSAGES)), self.corpus.sections)
        self.evaluator = DevEvaluator(self.dev, own, self.corpus, part, bf16=self.bf16, batch_size=64)
        self.base = {
            **self._scores("dev", self.dev, dev_queries, self.passages),
            **self._scores("test", self.test, read_vectors(paths.VECTORS, QUERIES, self.test.texts), self.passages),
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
        values = metrics.per_query(ranking.dense(queries, passages, self.corpus), judged.grades)["ndcg@10"]
        scores = {f"{name}/{part}": float(values[rows].mean()) for part, rows in judged.sets.items() if len(rows)}
        kinds = self.kinds[name]
        for kind in sorted(set(kinds.values())):
            rows = [row for row, query_id in enumerate(judged.ids) if kinds.get(query_id) == kind]
            scores[f"{name}/{kind}"] = float(values[rows].mean())
            scores[f"{name}/{kind}/n"] = len(rows)
        return scores

    def train(self, changes: dict[str, Any], seed: int, evaluator: Any = None) -> SentenceTransformer:
        config = settings(**{**changes, "seed": seed, "model": self.config.model})
        model = encoder.load_base(config.model)
        hard = list(zip(*(v for k, v in self.pairs.items() if k.startswith("negative")), strict=True))
        for number in range(config.rounds):
            if number:
                config.negatives = max(1, config.negatives)
                hard = rounds.mine_negatives(model, self.pairs, self.corpus, self.clusters, config, self.bf16)  # type: ignore[assignment]
            rows = by_passage(self.pairs["anchor"], self.pairs["positive"], hard, self.cluster_of)
            with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
                data = Round(rows, evaluator or self.evaluator, config, self.bf16)
                train(model, data, Path(folder), Clock(-1, -1), saved_every=math.inf)
        return model

    def tutorial(self, seed: int) -> SentenceTransformer:
        model = encoder.load_base(self.config.model)
        anchors, positives = self.pairs["anchor"], self.pairs["positive"]
        with tempfile.TemporaryDirectory() as folder:
            tutorial_trainer(model, anchors, positives, folder, self.bf16, num_train_epochs=EPOCHS, seed=seed).train()
        return model
