"""NDCG@10 of a checkpoint: the dev queries against a part of the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from fieldtune.corpus.passages import Corpus
from fieldtune.models import encoder
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.self_passages import OwnSections, leave_out

METRIC = "dev_ndcg@10"


@dataclass(frozen=True)
class Measured:
    """A model on dev."""

    passages: npt.NDArray[np.float32]  # unit vectors [n, dimension] of the chosen passages
    values: npt.NDArray[np.float64]  # NDCG@10 [queries]

    @property
    def score(self) -> float:
        return round(float(self.values.mean()), 6)


class DevEvaluator(BaseEvaluator):
    """An evaluator that encodes queries and passages with the current model and measures NDCG@10, as `dev_ndcg@10`."""

    def __init__(
        self,
        judged: Judged,
        own: OwnSections,
        corpus: Corpus,
        rows: npt.NDArray[np.int64],
        *,
        bf16: bool,
        batch_size: int,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric: str = METRIC
        self.latest: Measured | None = None  # the last measurement
        self._judged, self._own, self._bf16, self._batch_size = judged, own, bf16, batch_size
        self._texts = [corpus.texts[row] for row in rows]
        self._part = Corpus(corpus.sections, corpus.section_of[rows], self._texts)

    def __call__(  # type: ignore[override]  # a model of one kind, not of any
        self, model: SentenceTransformer, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        return {METRIC: self.measure_model(model).score}

    def measure_model(self, model: SentenceTransformer) -> Measured:
        """Measure a model in training. Its vectors are not kept: no folder has these weights, and of the one checkpoint
        that gets a folder `evaluate` would find this part of the corpus alone.
        """
        queries = self._encode(model, self._judged.texts, "query")
        self.latest = self.measure(queries, self._encode(model, self._texts, "document"))
        return self.latest

    def measure_folder(self, model: SentenceTransformer, folder: Path) -> Measured:
        """Measure a model as loaded from its folder: what it has encoded before is not encoded again."""
        cached = CachedEncoder(model, folder, bf16=self._bf16, batch_size=self._batch_size)
        queries = cached.encode(self._judged.texts, "query")
        self.latest = self.measure(queries, cached.encode(self._texts, "document"))
        return self.latest

    def measure(self, queries: npt.NDArray[np.float32], passages: npt.NDArray[np.float32]) -> Measured:
        """Measure unit vectors of the dev queries and of the chosen passages."""
        ranked = leave_out(ranking.dense(queries, passages, self._part), self._own)
        return Measured(passages, metrics.per_query(ranked, self._judged.grades)["ndcg@10"])

    def _encode(self, model: SentenceTransformer, texts: Sequence[str], kind: encoder.Kind) -> npt.NDArray[np.float32]:
        return encoder.encode(model, texts, kind, bf16=self._bf16, batch_size=self._batch_size)
