"""The shares of systems that have two halves: a hybrid's model and BM25, BM25's whole text and its headings.

A share starts at one half alone and moves only for a gain beyond luck. Real test queries choose if there are enough of
them, in two halves of whole clusters; otherwise generated dev queries do. Dev queries repeat their passage and flatter
BM25, so that they may choose less; `benchmarks/fusion_rules.py` makes the table that the rule is taken from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import metrics, ranking
from fieldtune.retrieval.halves import DECIDING, second_half
from fieldtune.retrieval.judged_queries import DEV, GIVEN, Judged, words_in_answers
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.significance import standard_error

SHARES = tuple(tenth / 10 for tenth in range(11))  # the model's, in a hybrid
HEADING_SHARES = (0.0, 0.1, 0.2)  # of BM25's score; more costs the queries that say little of a heading
_SURE = 1.645  # standard errors of a gain on real queries: 95%, one-sided
# What loses least on the queries of people (benchmarks/fusion_rules.py)
_SURE_ON_DEV = 1.0  # standard errors of a gain on dev queries
_TILT = 1  # places in SHARES that dev's choice is moved towards the model
_LEAST = 8  # the place of the least share of a model that is better than BM25 even on dev
_SEED = 0  # of the halves


@dataclass(frozen=True)
class Choice:
    """A share, and those that the two halves of the real queries chose; None if dev chose."""

    share: float
    halves: tuple[float, float] | None = None
    crossfitted: float | None = None  # NDCG@10 of the real queries, each under the share that the other half chose


def by_halves(choices: Mapping[str, Choice]) -> dict[str, dict[str, Any]]:
    """Of the shares that real queries chose: what each half chose, and the cross-fitted score; for metrics.json."""
    return {
        name: {"halves": list(choice.halves), "ndcg@10": choice.crossfitted}
        for name, choice in choices.items()
        if choice.halves is not None
    }


@dataclass(frozen=True)
class Deciding:
    """The queries that choose shares, as rows of the judged ones."""

    rows: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]  # of these queries
    second: npt.NDArray[np.bool_] | None  # of the second half of real queries; None: dev queries


def deciding(judged: Judged, corpus: Corpus, *, real: bool) -> Deciding:
    """The real test queries if they may choose and are 100 or more, otherwise the dev queries.

    Dev queries that were made of the passages' own words tell nothing about BM25, and choose nothing.
    """
    rows = judged.rows(["real"])
    if real and len(rows) >= DECIDING and (second := second_half(judged.clusters[rows], _SEED)) is not None:
        return Deciding(rows, judged.clusters[rows], second)
    rows = judged.rows([DEV])
    if words_in_answers(judged.at(rows), corpus) >= GIVEN:
        rows = rows[:0]
    return Deciding(rows, judged.clusters[rows], None)


def choose_hybrid(dense: Rankings, words: Rankings, judged: Judged, corpus: Corpus, queries: Deciding) -> Choice:
    """The model's share of a hybrid with BM25. The rankings are of all judged queries."""
    grades = [judged.grades[row] for row in queries.rows]
    left, right = dense[queries.rows], words[queries.rows]
    fused = [ranking.fuse(left, right, corpus, share) for share in SHARES]
    return choose_share(_ndcg(fused, grades), queries)


def choose_fields(fields: Mapping[float, Rankings], judged: Judged, queries: Deciding) -> Choice:
    """The headings' share of BM25's score. `fields`: the rankings of all judged queries by each of HEADING_SHARES."""
    grades = [judged.grades[row] for row in queries.rows]
    ranked = [fields[share][queries.rows] for share in HEADING_SHARES]
    return choose_heading_share(_ndcg(ranked, grades), queries)


def _ndcg(rankings: Sequence[Rankings], grades: Sequence[metrics.Grades]) -> npt.NDArray[np.float64]:
    return np.stack([metrics.per_query(each, grades)["ndcg@10"] for each in rankings])


def choose_share(ndcg: npt.NDArray[np.float64], queries: Deciding) -> Choice:
    """The model's share of a hybrid, from the NDCG@10 that each of SHARES has on the deciding queries."""
    if queries.second is None:
        return Choice(SHARES[by_dev(ndcg, queries.clusters)])
    return _by_halves(ndcg, SHARES, queries, starts=(1.0, 0.0))


def choose_heading_share(ndcg: npt.NDArray[np.float64], queries: Deciding) -> Choice:
    """The headings' share of BM25's score, from the NDCG@10 that each of HEADING_SHARES has on the deciding queries."""
    if queries.second is None:
        return Choice(best_beyond_luck(ndcg, HEADING_SHARES, queries.clusters, starts=(0.0,)))
    return _by_halves(ndcg, HEADING_SHARES, queries, starts=(0.0,))


def by_dev(
    ndcg: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.int64],
    errors: float = _SURE_ON_DEV,
    tilt: int = _TILT,
    least: int = _LEAST,
) -> int:
    """The place in SHARES that generated dev queries choose; `ndcg` [shares, dev queries].

    They flatter BM25, since they repeat their passage's words. So the share that they choose is moved towards the
    model, and further if the model is better than BM25 on them nevertheless.
    """
    start = _better(ndcg, SHARES, (1.0, 0.0)) if len(clusters) else 1.0
    chosen = SHARES.index(best_beyond_luck(ndcg, SHARES, clusters, (1.0, 0.0), errors))
    if SHARES[chosen] == start:
        return chosen
    tilted = min(chosen + tilt, len(SHARES) - 1)
    return max(tilted, least) if start == 1.0 else tilted


def _by_halves(
    ndcg: npt.NDArray[np.float64], shares: Sequence[float], queries: Deciding, starts: Sequence[float]
) -> Choice:
    """The share of both halves; if they differ, the one that is nearer to the better start."""
    assert queries.second is not None
    start = _better(ndcg, shares, starts)
    chosen = [
        best_beyond_luck(ndcg[:, half], shares, queries.clusters[half], starts)
        for half in (~queries.second, queries.second)
    ]
    first, second = (ndcg[shares.index(share)] for share in chosen)
    crossfitted = np.where(queries.second, first, second)
    share = min(chosen, key=lambda share: abs(share - start))
    return Choice(share, (chosen[0], chosen[1]), round(float(crossfitted.mean()), 6))


def _better(ndcg: npt.NDArray[np.float64], shares: Sequence[float], starts: Sequence[float]) -> float:
    """The better of the starts, the first of equal ones."""
    return max(starts, key=lambda share: float(ndcg[shares.index(share)].mean()))


def best_beyond_luck(
    ndcg: npt.NDArray[np.float64],
    shares: Sequence[float],
    clusters: npt.NDArray[np.int64],
    starts: Sequence[float],
    errors: float = _SURE,
) -> float:
    """The best of the shares that beat the better start by so many standard errors; that start if there is none."""
    if len(clusters) == 0:
        return starts[0]
    start = _better(ndcg, shares, starts)
    gains = ndcg - ndcg[shares.index(start)]
    sure = [start, *(share for share, gain in zip(shares, gains, strict=True) if _is_sure(gain, clusters, errors))]
    return max(sure, key=lambda share: float(ndcg[shares.index(share)].mean()))


def _is_sure(gains: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], errors: float) -> bool:
    """A mean gain is above 0 by so many standard errors."""
    mean = float(gains.mean())
    return mean > 1e-9 and mean > errors * standard_error(gains, clusters)
