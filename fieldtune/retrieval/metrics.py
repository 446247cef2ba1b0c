"""Retrieval metrics per query, with binary relevance, as trec_eval computes them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.ranking import Rankings

Values = npt.NDArray[np.float64]


def per_query(rankings: Rankings, relevant: Sequence[set[int]]) -> dict[str, Values]:
    """The metrics per query, [queries] each: `ndcg@10`, `mrr@10`, `recall@1` … `success@1`, `first_rank`.

    `relevant` holds the sections that answer each query, at least one, as indices like those of `rankings`.
    NDCG (Järvelin, Kekäläinen 2002) with gain 1 and discount 1/log2(rank+1); its ideal ranks all relevant first.
    `first_rank` is the rank of the first right section, from 1; one more than the number ranked if none is right.
    """
    hits = np.array(
        [
            [section in answers for section in row]
            for row, answers in zip(rankings.sections.tolist(), relevant, strict=True)
        ],
        dtype=np.float64,
    ).reshape(rankings.sections.shape)
    count = np.array([len(answers) for answers in relevant], dtype=np.float64)
    discount = 1.0 / np.log2(np.arange(2, 12))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(count, 10).astype(int)]
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, rankings.sections.shape[1] + 1.0)
    return {
        "ndcg@10": (hits[:, :10] * discount).sum(axis=1) / ideal,
        "mrr@10": np.where(first <= 10, 1.0 / first, 0.0),
        **{f"recall@{depth}": hits[:, :depth].sum(axis=1) / count for depth in (1, 5, 10, 100)},
        "success@1": hits[:, 0],
        "first_rank": first,
    }


def means(values: dict[str, Values], rows: npt.NDArray[np.int64] | slice = slice(None)) -> dict[str, float]:
    """The mean of each metric over these rows of the queries, to six decimals."""
    return {name: round(float(np.mean(numbers[rows])), 6) for name, numbers in values.items()}
