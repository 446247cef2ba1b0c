"""How good a checkpoint is: NDCG@10 of the dev queries against a part of the corpus."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from stages import encoder, metrics, ranking
from stages.query_sets import Judged
from stages.ranking import Corpus

METRIC = "dev_ndcg@10"


class DevEvaluator(BaseEvaluator):
    """Encodes queries and passages with the model at hand and measures NDCG@10, as `dev_ndcg@10`."""

    def __init__(
        self, judged: Judged, corpus: Corpus, rows: npt.NDArray[np.int64], bf16: bool, batch_size: int
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric: str = METRIC
        self.latest: npt.NDArray[np.float32] | None = None  # the chosen passages' vectors, as measured last
        self._judged, self._bf16, self._batch_size = judged, bf16, batch_size
        self._texts = [corpus.texts[row] for row in rows]
        self._part = Corpus(corpus.sections, corpus.section_of[rows], self._texts)

    def __call__(  # type: ignore[override]  # a model of one kind, not of any
        self, model: SentenceTransformer, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        queries, self.latest = self.vectors(model)
        return {METRIC: self.score(queries, self.latest)}

    def vectors(self, model: SentenceTransformer) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What the model makes of the dev queries and of the chosen passages."""
        return self._encode(model, self._judged.texts, "query"), self._encode(model, self._texts, "document")

    def score(self, queries: npt.NDArray[np.float32], passages: npt.NDArray[np.float32]) -> float:
        """NDCG@10 of unit vectors of the dev queries and of the chosen passages."""
        found = ranking.dense(queries, passages, self._part)
        return metrics.means(metrics.per_query(found, self._judged.relevant))["ndcg@10"]

    def _encode(self, model: SentenceTransformer, texts: Sequence[str], kind: encoder.Kind) -> npt.NDArray[np.float32]:
        return encoder.encode(model, texts, kind, bf16=self._bf16, batch_size=self._batch_size)
