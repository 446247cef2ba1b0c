"""The round trip: generated queries must lead back to their passages (Promptagator, arXiv:2209.11755)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import Table
from stages.dataset.inputs import Inputs
from stages.dataset.queries import TrainingQuery


@dataclass(frozen=True)
class RoundTrip:
    """Rankings of sections for the generated queries."""

    top: int  # a query is dropped if neither system has an answer among its first `top`; 0: no query is dropped
    dense: npt.NDArray[np.int64]  # [queries, depth]: the base model's ranked sections
    bm25: npt.NDArray[np.int64]  # [queries, depth]: BM25's
    query_vectors: npt.NDArray[np.float32]  # [queries, dimension]
    passage_vectors: Table  # [passages, dimension]
    section_of: npt.NDArray[np.int64]  # [passages]

    def explain(self, row: int, query: TrainingQuery) -> str:
        """The ranks of a query that was dropped, by row, in words."""
        # Among sections with equal scores, the filter may have ranked its own last.
        base = max(self._base_rank(row, query.answers), self.top + 1)
        places = np.flatnonzero(np.isin(self.bm25[row], list(query.answers)))
        lexical = f"on rank {places[0] + 1:,}" if len(places) else f"not among the first {self.bm25.shape[1]:,}"
        return f"its passage is on rank {base:,} of the base model and {lexical} of BM25; the limit is {self.top:,}"

    def _base_rank(self, row: int, answers: set[int]) -> int:
        """The rank of the best answer by cosine; a section scores as high as its best passage."""
        best = np.full(int(self.section_of.max()) + 1, -np.inf, dtype=np.float32)
        np.maximum.at(best, self.section_of, ranking.cosines(self.query_vectors[row], self.passage_vectors))
        own = list(answers)
        return 1 + int(np.sum(np.delete(best, own) > best[own].max()))


def rank_generated(inputs: Inputs, passages: Table, top: int) -> RoundTrip:
    """Rank all sections for each generated query; if `top` is 0, rank nothing, since nobody reads it.

    `passages`: their unit vectors.
    """
    queries, corpus = inputs.query_vectors, inputs.corpus
    dense = bm25 = np.empty((len(inputs.generated), 0), dtype=np.int64)
    if top:
        dense = ranking.dense(queries, passages, corpus).sections
        bm25 = ranking.bm25([query["query"] for query in inputs.generated], corpus).sections
    return RoundTrip(top, dense, bm25, queries, passages, corpus.section_of)
