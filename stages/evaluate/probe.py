"""A probe for forgetting: a small fixed set of general passages and queries, scored by the base and the tuned model.

The set is this project's own text, under its licence. It is small, and its numbers are not a benchmark: they reveal a
model that lost its general language, for example by too high a learning rate.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.retrieval import metrics, ranking

PROBE = Path(__file__).parent / "probe.jsonl"


@dataclass(frozen=True)
class Probe:
    """NDCG@10 of both models, and the loss from which there is a warning."""

    n: int  # queries
    base: float
    tuned: float
    limit: float

    @property
    def loss(self) -> float:
        return round(self.base - self.tuned, 6)

    @property
    def forgot(self) -> bool:
        return self.loss > self.limit

    @property
    def message(self) -> str:
        scores = f"NDCG@10 on {self.n} general queries is {self.base:.3f} with the base model, {self.tuned:.3f} tuned"
        if self.forgot:
            return (
                f"The tuned model forgot: {scores}, a loss of more than {self.limit:.2f}. If it must serve "
                "documents of other kinds, lower `train.learning_rate` or `train.epochs`."
            )
        return f"The tuned model kept its general language: {scores}."

    def json(self) -> dict[str, Any]:
        """The block of metrics.json."""
        return {**asdict(self), "loss": self.loss, "forgot": self.forgot}


def probe(base: CachedEncoder, tuned: CachedEncoder, limit: float) -> Probe:
    """Score both models on the set."""
    rows = list(files.read_jsonl(PROBE))
    corpus = Corpus.from_passages(
        [{"source": "", "section": str(n), "title": row["title"], "text": row["text"]} for n, row in enumerate(rows)]
    )

    def ndcg(model: CachedEncoder) -> float:
        queries, passages = (
            model.encode([row["query"] for row in rows], "query"),
            model.encode(corpus.texts, "document"),
        )
        ranked = ranking.dense(queries, passages, corpus)
        return metrics.means(metrics.per_query(ranked, [{row: 1} for row in range(len(rows))]))["ndcg@10"]

    return Probe(len(rows), ndcg(base), ndcg(tuned), limit)
