"""The hybrid of a model and BM25: each one's share is chosen on the dev queries, never on the test's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.significance import standard_error

WEIGHTS = tuple(tenth / 10 for tenth in range(1, 10))  # the model's share
EVEN = 0.5
_SURE = 1.96  # standard errors, 95%


def choose_weight(
    dense: Rankings,
    words: Rankings,
    relevant: Sequence[set[int]],
    clusters: npt.NDArray[np.int64],
    corpus: Corpus,
) -> float:
    """The model's share of the fusion: the one nearest to even that the best by NDCG@10 does not beat significantly.

    Dev queries are often generated, a few hundred, and unlike what people type: on the sample the very best share for
    the base model, 0.9, costs real queries 0.033 against an even one. So dev must give a reason to leave even shares.
    `clusters` [queries] names the queries that are not independent. Even if there are no queries.
    """
    if not relevant:
        return EVEN
    ndcg = np.stack(
        [metrics.per_query(ranking.fuse(dense, words, corpus, weight), relevant)["ndcg@10"] for weight in WEIGHTS]
    )
    best = ndcg[ndcg.mean(axis=1).argmax()]
    by_distance = sorted(range(len(WEIGHTS)), key=lambda place: (abs(WEIGHTS[place] - EVEN), -ndcg[place].mean()))
    return next(WEIGHTS[place] for place in by_distance if _within_luck(best - ndcg[place], clusters))


def _within_luck(differences: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64]) -> bool:
    """A mean difference may be 0."""
    mean = float(differences.mean())
    return mean <= _SURE * standard_error(differences, clusters) + 1e-9
