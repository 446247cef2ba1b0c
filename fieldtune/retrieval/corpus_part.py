"""The part of the corpus that ranks nearly as hard as the whole, used if encoding all of it would take too long."""

import random

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import ranking
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import Table

_NEAR = 20  # passages per query


def part_of_corpus(
    judged: Judged,
    corpus: Corpus,
    queries: npt.NDArray[np.float32],
    passages: Table,
    size: int,
    seed: int,
) -> npt.NDArray[np.int64]:
    """Rows of the passages to rank against, sorted: all answers, the nearest others by their vectors, random ones.

    `queries` and `passages` are unit vectors of all queries and passages by an existing model. At most `size` rows, but
    always all answers, partial ones too.
    """
    if len(passages) <= size:
        return np.arange(len(passages))
    return _part(judged, corpus, ranking.nearest(queries, passages, _NEAR)[0], size, seed)


def part_by_words(judged: Judged, corpus: Corpus, size: int, seed: int) -> npt.NDArray[np.int64]:
    """The same with BM25's nearest passages, which are no more misleading for one of two models than for the other."""
    if len(corpus.texts) <= size:
        return np.arange(len(corpus.texts))
    sections = ranking.bm25(judged.texts, corpus).sections[:, :_NEAR]
    first = np.unique(corpus.section_of, return_index=True)[1]
    return _part(judged, corpus, np.where(sections < 0, -1, first[sections]), size, seed)


def _part(judged: Judged, corpus: Corpus, near: npt.NDArray[np.int64], size: int, seed: int) -> npt.NDArray[np.int64]:
    """`near` [queries, k]: rows of passages, the best first; -1 if there are no more."""
    answers = set[int]().union(*judged.grades)
    chosen = {row for row, section in enumerate(corpus.section_of.tolist()) if section in answers}
    for column in near.T.tolist():
        for row in column:
            if len(chosen) >= 0.8 * size:
                break
            if row >= 0:
                chosen.add(row)
    rest = sorted(set(range(len(corpus.texts))) - chosen)
    chosen |= set(random.Random(seed).sample(rest, max(0, size - len(chosen))))
    return np.array(sorted(chosen), dtype=np.int64)
