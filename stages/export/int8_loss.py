"""The cost of int8 in search: NDCG@10 on a sample of the test queries against a part of the corpus."""

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.corpus_part import part_of_corpus
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import Table
from fieldtune.retrieval.self_passages import OwnSections, leave_out

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Check:
    """Queries and passages to measure both encodings on, with the existing vectors."""

    query_set: str
    queries: list[str]
    passages: Corpus
    _grades: list[dict[int, float]]
    _own: OwnSections
    _query_vectors: Vectors
    _passage_vectors: Vectors

    def loss(self, queries: Vectors, passages: Vectors) -> "Loss":
        """Measure the loss with other unit vectors of `queries` and `passages`."""
        before = self._ndcg(self._query_vectors, self._passage_vectors)
        after = self._ndcg(queries, passages)
        return Loss(
            query_set=self.query_set,
            queries=len(self.queries),
            passages=len(self.passages.texts),
            before=round(float(before.mean()), 6),
            after=round(float(after.mean()), 6),
            lost=round(float((before - after).mean()), 6),
            standard_error=round(float((before - after).std() / np.sqrt(len(before))), 6),
        )

    def _ndcg(self, queries: Vectors, passages: Vectors) -> metrics.Values:
        ranked = leave_out(ranking.dense(queries, passages, self.passages), self._own)
        return metrics.per_query(ranked, self._grades)["ndcg@10"]


@dataclass(frozen=True)
class Loss:
    """Mean NDCG@10 with the vectors that were evaluated and with the others, to six decimals."""

    query_set: str
    queries: int
    passages: int
    before: float
    after: float
    lost: float
    standard_error: float  # of `lost`, by the draw of the queries


def draw(
    judged: Judged,
    own: OwnSections,
    corpus: Corpus,
    vectors: tuple[Vectors, Table],
    *,
    most: int,
    size: int,
    seed: int,
) -> Check:
    """Draw at most `most` queries of the main set of `judged`, and about `size` passages to rank.

    `vectors`: of the queries and of the passages, as they were evaluated, in the order of `judged` and `corpus`.
    """
    queries, passages = vectors
    main_rows = judged.sets[judged.main_set].tolist()
    rows = sorted(random.Random(seed).sample(main_rows, min(most, len(main_rows))))
    drawn = judged.at(np.array(rows))
    part = part_of_corpus(drawn, corpus, queries[rows], passages, size, seed)
    return Check(
        query_set=judged.main_set,
        queries=drawn.texts,
        passages=Corpus(corpus.sections, corpus.section_of[part], [corpus.texts[row] for row in part]),
        _grades=drawn.grades,
        _own=own[rows],
        _query_vectors=queries[rows],
        _passage_vectors=passages[part],
    )
