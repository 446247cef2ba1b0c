"""Retrieval metrics per query, as trec_eval computes them: graded relevance in NDCG, binary in the rest."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.judgements import ANSWER
from fieldtune.retrieval.ranking import Rankings

Values = npt.NDArray[np.float64]
# Section → its gain: 1 answers the query, more (a score of BEIR qrels) answers it better, less answers it partly.
Grades = Mapping[int, float]
_NDCG = 10  # ranks


def per_query(rankings: Rankings, grades: Sequence[Grades]) -> dict[str, Values]:
    """The metrics per query, [queries] each: `ndcg@10`, `mrr@10`, `recall@1` … `success@1`, `first_rank`.

    `grades` holds each query's sections, as indices like those of `rankings`, with their grades; at least one is an
    answer. NDCG (Järvelin, Kekäläinen 2002) has the grade as gain and 1/log2(rank+1) as discount; its ideal ranks the
    highest grades first. Sections that answer partly count in NDCG alone. `first_rank` is the rank of the first answer,
    from 1; one more than the number ranked if there is none.
    """
    gains = np.array(
        [
            [graded.get(section, 0.0) for section in row]
            for row, graded in zip(rankings.sections.tolist(), grades, strict=True)
        ],
        dtype=np.float64,
    ).reshape(rankings.sections.shape)
    hits = (gains >= ANSWER).astype(np.float64)
    count = np.array([sum(grade >= ANSWER for grade in graded.values()) for graded in grades], dtype=np.float64)
    discount = 1.0 / np.log2(np.arange(2, _NDCG + 2))
    ideal = np.zeros((len(grades), _NDCG))
    for row, graded in enumerate(grades):
        best = sorted(graded.values(), reverse=True)[:_NDCG]
        ideal[row, : len(best)] = best
    ideals = np.cumsum(ideal * discount, axis=1)[:, -1]
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, rankings.sections.shape[1] + 1.0)
    return {
        "ndcg@10": (gains[:, :_NDCG] * discount).sum(axis=1) / ideals,
        "mrr@10": np.where(first <= 10, 1.0 / first, 0.0),
        **{f"recall@{depth}": hits[:, :depth].sum(axis=1) / count for depth in (1, 5, 10, 100)},
        "success@1": hits[:, 0],
        "first_rank": first,
    }


def means(values: dict[str, Values], rows: npt.NDArray[np.int64] | slice = slice(None)) -> dict[str, float]:
    """The mean of each metric over these rows of the queries, to six decimals."""
    return {name: round(float(np.mean(numbers[rows])), 6) for name, numbers in values.items()}
