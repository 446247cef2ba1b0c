"""Rankings of sections: by vectors, by BM25, and by both fused.

A section's score is its best passage's (MaxP), so that cutting differently never changes the question. Equal
scores rank as trec_eval ranks them: the id that sorts last comes first; equal means equal in float32, as there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import StoredVectors
from fieldtune.retrieval.bm25 import Bm25Index, temporary_index
from fieldtune.runtime import memory

DEPTH = 100  # sections ranked per query
_PASSAGES = 4 * DEPTH  # passages fetched per query at first; more if their sections do not fill the depth
_CHUNK = 1 << 26  # scores held at once (256 MiB of float32)
_COLUMNS = 1 << 17  # passages scored at once

ScoredPassages = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]  # rows of passages, scores: [queries, k]
ScoredSections = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]  # of one query


class SectionTable(Protocol):
    """The sections of passages, as a Corpus has them."""

    @property
    def section_of(self) -> npt.NDArray[np.int64]: ...  # [passages]
    @property
    def tie_order(self) -> npt.NDArray[np.int64]: ...  # [sections]: of equal scores the highest comes first


@dataclass(frozen=True)
class Rankings:
    """The first sections of each query, best first; short rankings are filled with -1 and -inf."""

    sections: npt.NDArray[np.int64]  # [queries, DEPTH]: index into Corpus.sections
    scores: npt.NDArray[np.float64]  # [queries, DEPTH]

    def __getitem__(self, rows: Any) -> "Rankings":
        return Rankings(self.sections[rows], self.scores[rows])


@dataclass(frozen=True)
class DerivedVectors:
    """Vectors that are computed from others as they are read, some rows at a time, and never held all at once."""

    source: "npt.NDArray[np.float32] | StoredVectors"  # [n, …]
    derive: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]  # [rows, …] → [rows, dimension]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return self.derive(self.source[rows])


Table = npt.NDArray[np.float32] | StoredVectors | DerivedVectors


def nearest(queries: npt.NDArray[np.float32], passages: Table, k: int) -> ScoredPassages:
    """Exact search: the k passages of highest cosine for each query, best first; all of them if there are fewer.

    Chunked over both, so that memory is bounded whatever the sizes. Vectors that are stored are read once, as many at a
    time as `memory.limit` lets this process hold; the rankings do not depend on it. On a GPU if there is one.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    k = min(k, len(passages))
    columns = max(1, min(len(passages), _COLUMNS))
    rows = max(1, _CHUNK // columns)
    starts = range(0, len(queries), rows)
    scores = [torch.empty(len(queries[top : top + rows]), 0, device=device) for top in starts]
    best = [torch.empty(len(each), 0, dtype=torch.int64, device=device) for each in scores]
    for left, block in _blocks(passages, columns):
        table = torch.from_numpy(block).to(device).T
        for number, top in enumerate(starts):
            part = torch.from_numpy(np.ascontiguousarray(queries[top : top + rows])).to(device) @ table
            values, places = part.topk(min(k, part.shape[1]), dim=1)
            joined = torch.cat([scores[number], values], dim=1)
            scores[number], chosen = joined.topk(min(k, joined.shape[1]), dim=1)
            best[number] = torch.cat([best[number], places + left], dim=1).gather(1, chosen)
    if not starts:
        return np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
    return np.concatenate([each.cpu().numpy() for each in best]), np.concatenate(
        [each.cpu().numpy() for each in scores]
    )


def _blocks(passages: Table, size: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Blocks of `size` rows, each with its first row's number. Of stored vectors as many are held as may be."""
    held = len(passages)
    if isinstance(passages, DerivedVectors):
        held = size
    elif isinstance(passages, StoredVectors):
        bytes_of_block = size * passages.shape[1] * np.dtype(np.float32).itemsize
        held = size * max(1, memory.limit() // max(1, bytes_of_block))
    for start in range(0, len(passages), max(1, held)):
        table = passages[start : start + held]
        for left in range(0, len(table), size):
            yield start + left, np.ascontiguousarray(table[left : left + size])


def cosines(query: npt.NDArray[np.float32], passages: Table) -> npt.NDArray[np.float32]:
    """[passages]: of unit vectors."""
    return np.concatenate([query[:0], *(block @ query for _, block in _blocks(passages, _COLUMNS))])


def dense(queries: npt.NDArray[np.float32], passages: Table, corpus: Corpus) -> Rankings:
    """Rank sections by the cosine of unit vectors."""
    return _by_section(lambda rows, k: nearest(queries[rows], passages, k), len(queries), corpus)


def rescored(
    queries: npt.NDArray[np.float32],
    passages: Table,
    candidates: npt.NDArray[np.int64],
    corpus: Corpus,
) -> Rankings:
    """Rank sections by the product of each query with its candidates, [queries, k] rows of the passages."""

    def rows() -> Iterator[ScoredSections]:
        for query, rows_of_query in zip(queries, candidates, strict=True):
            scores = passages[rows_of_query] @ query
            order = np.argsort(-scores, kind="stable")
            yield from _collapsed(rows_of_query[order][None], scores[order][None], corpus)

    return _ranked(rows(), len(queries), corpus)


def reordered(rankings: Rankings, scores: Sequence[Mapping[int, float]], corpus: Corpus) -> Rankings:
    """The same sections of each query in the order of other scores, those of the query's sections."""

    def rows() -> Iterator[ScoredSections]:
        for sections, given in zip(rankings.sections, scores, strict=True):
            ranked = sections[sections >= 0]
            yield ranked, np.array([given[section] for section in ranked.tolist()], dtype=np.float32)

    return _ranked(rows(), len(rankings.sections), corpus)


def of_results(results: Iterable[ScoredSections], count: int, table: SectionTable) -> Rankings:
    """Rank sections by what a search gave for each of `count` queries: passages [k] with their scores [k]."""

    def rows() -> Iterator[ScoredSections]:
        for passages, scores in results:
            order = np.argsort(-scores, kind="stable")
            yield from _collapsed(passages[order][None], scores[order][None], table)

    return _ranked(rows(), count, table)


def bm25(queries: Sequence[str], corpus: Corpus) -> Rankings:
    """Rank sections by BM25 (Lucene's form, k1 1.5, b 0.75) with English stems and stop words, using bm25s.

    Sections that share no word with the query are not in its ranking.
    """
    return bm25_fields(queries, corpus, (0.0,))[0.0]


def bm25_fields(queries: Sequence[str], corpus: Corpus, shares: Sequence[float]) -> dict[float, Rankings]:
    """Rank sections by BM25 of the whole text and of the headings, for each of these `shares` of the headings."""
    with temporary_index(corpus.texts) as index:
        return by_fields(index, queries, corpus, shares)


def by_fields(
    index: Bm25Index, queries: Sequence[str], table: SectionTable, shares: Sequence[float]
) -> dict[float, Rankings]:
    """The same with an index that is there."""
    ranked: dict[float, list[Rankings]] = {share: [_ranked([], 0, table)] for share in shares}
    for query in queries:
        fields = index.field_scores(query, headings=any(shares))
        for share in shares:
            ranked[share].append(by_scores(index.combined(fields, share), table, present=0.0))
    return {share: _stacked(rows) for share, rows in ranked.items()}


def by_scores(scores: npt.NDArray[np.float32], table: SectionTable, present: float = -np.inf) -> Rankings:
    """Rank the sections of one query by the scores of all passages [passages]; only scores above `present` count."""
    known = np.flatnonzero(scores > present)  # for BM25 a part of all, and selecting from fewer is faster
    values = scores[known]

    def search(_: npt.NDArray[np.int64], k: int) -> ScoredPassages:
        best = np.argpartition(-values, k - 1)[:k] if k < len(values) else np.arange(len(values))
        best = best[np.argsort(-values[best], kind="stable")]
        rows, best_scores = np.zeros((1, k), dtype=np.int64), np.full((1, k), -np.inf, dtype=np.float32)
        rows[0, : len(best)], best_scores[0, : len(best)] = known[best], values[best]
        return rows, best_scores

    return _by_section(search, 1, table)


def _stacked(rankings: Sequence[Rankings]) -> Rankings:
    return Rankings(
        np.concatenate([each.sections for each in rankings]), np.concatenate([each.scores for each in rankings])
    )


def fuse(left: Rankings, right: Rankings, table: SectionTable, share: float) -> Rankings:
    """A convex combination of the scores of two rankings of the same queries; `share` is the left one's, 0 to 1.

    Scores are min-max normalised over the ranked sections of each list; a list of one, or of equal scores, gets 1. A
    section that is not in a list gets 0 there (Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for Hybrid
    Retrieval"). A share of 0 or 1 is the one ranking as it is.
    """
    if share in (0.0, 1.0):
        return left if share else right

    def rows() -> Iterator[ScoredSections]:
        for a, b, a_scores, b_scores in zip(left.sections, right.sections, left.scores, right.scores, strict=True):
            in_a, in_b = a >= 0, b >= 0
            sections, places = np.unique(np.concatenate([a[in_a], b[in_b]]), return_inverse=True)
            scores = np.concatenate([share * _normalised(a_scores[in_a]), (1 - share) * _normalised(b_scores[in_b])])
            yield sections, np.bincount(places, weights=scores, minlength=len(sections)).astype(np.float32)

    return _ranked(rows(), len(left.sections), table)


def _normalised(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scores from 0 to 1, best first; all 1 if they are equal."""
    if len(scores) == 0 or scores[0] == scores[-1]:
        return np.ones(len(scores))
    normalised: npt.NDArray[np.float64] = (scores - scores[-1]) / (scores[0] - scores[-1])
    return normalised


def _by_section(
    search: Callable[[npt.NDArray[np.int64], int], ScoredPassages], queries: int, table: SectionTable
) -> Rankings:
    """Rank the sections of the passages that `search` gives: the best k of each of these rows of the queries.

    More are fetched for a query until its last section scores above the last passage fetched: otherwise a section with
    many passages, or many passages with one score, would hide sections that belong in the ranking.
    """
    sections = np.full((queries, DEPTH), -1, dtype=np.int64)
    scores = np.full((queries, DEPTH), -np.inf)
    todo = [(np.arange(queries), min(_PASSAGES, len(table.section_of)))]
    while todo:
        rows, k = todo.pop()
        if len(rows) > (most := max(1, _CHUNK // max(k, 1))):
            todo.append((rows[most:], k))
            rows = rows[:most]
        passages, values = search(rows, k)
        ranked = _ranked(_collapsed(passages, values, table), len(rows), table)
        sections[rows], scores[rows] = ranked.sections, ranked.scores
        last = values[:, -1]
        undecided = (ranked.scores[:, -1] <= last) & (last > -np.inf)
        if k < len(table.section_of) and undecided.any():
            todo.append((rows[undecided], min(4 * k, len(table.section_of))))
    return Rankings(sections, scores)


def _collapsed(
    rankings: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], table: SectionTable
) -> Iterator[ScoredSections]:
    for passages, values in zip(rankings, scores, strict=True):
        known = values > -np.inf
        # Passages come best first, so a section's first one is its best.
        sections, first = np.unique(table.section_of[passages[known]], return_index=True)
        yield sections, values[known][first]


def _ranked(rows: Iterable[ScoredSections], count: int, table: SectionTable) -> Rankings:
    """The rankings of `count` queries; those without a row are empty."""
    sections = np.full((count, DEPTH), -1, dtype=np.int64)
    scores = np.full((count, DEPTH), -np.inf)
    for row, (ids, values) in enumerate(rows):
        order = np.lexsort((-table.tie_order[ids], -values))[:DEPTH]
        sections[row, : len(order)] = ids[order]
        scores[row, : len(order)] = values[order]
    return Rankings(sections, scores)
