"""Rankings of sections: by vectors, by BM25, and by both fused.

A section's score is its best passage's (MaxP), so that cutting differently never changes the question. Equal
scores rank as trec_eval ranks them: the id that sorts last comes first; equal means equal in float32, as there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval.words import bm25_words

DEPTH = 100  # sections ranked per query
_RRF_K = 60  # Cormack, Clarke, Büttcher 2009: reciprocal rank fusion, the constant of the paper
_PASSAGES = 4 * DEPTH  # passages fetched per query at first; more if their sections do not fill the depth
_CHUNK = 1 << 26  # scores held at once (256 MiB of float32)
_COLUMNS = 1 << 17  # passages scored at once

ScoredPassages = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]  # rows of passages, scores: [queries, k]
ScoredSections = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]  # of one query


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

    source: npt.NDArray[np.float32]  # [n, …]
    derive: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]  # [rows, …] → [rows, dimension]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.float32]:
        return self.derive(self.source[rows])


Table = npt.NDArray[np.float32] | DerivedVectors


def nearest(queries: npt.NDArray[np.float32], passages: Table, k: int) -> ScoredPassages:
    """Exact search: the k passages of highest cosine for each query, best first; all of them if there are fewer.

    Chunked over both, so that memory is bounded whatever the sizes.
    """
    import torch

    k = min(k, len(passages))
    columns = max(1, min(len(passages), _COLUMNS))
    rows = max(1, _CHUNK // columns)
    rankings, scores = [], []
    for top in range(0, len(queries), rows):
        block = torch.from_numpy(np.ascontiguousarray(queries[top : top + rows]))
        best_scores = torch.empty(len(block), 0)
        best = torch.empty(len(block), 0, dtype=torch.int64)
        for left in range(0, len(passages), columns):
            part = block @ torch.from_numpy(np.ascontiguousarray(passages[left : left + columns])).T
            values, places = part.topk(min(k, part.shape[1]), dim=1)
            joined = torch.cat([best_scores, values], dim=1)
            best_scores, chosen = joined.topk(min(k, joined.shape[1]), dim=1)
            best = torch.cat([best, places + left], dim=1).gather(1, chosen)
        rankings.append(best.numpy())
        scores.append(best_scores.numpy())
    if not rankings:
        return np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
    return np.concatenate(rankings), np.concatenate(scores)


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


def bm25(queries: Sequence[str], corpus: Corpus) -> Rankings:
    """Rank sections by BM25 (Lucene's form, k1 1.5, b 0.75) with English stems and stop words, using bm25s.

    Sections that share no word with the query are not in its ranking.
    """
    import bm25s
    import Stemmer

    options = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english")}
    words = bm25_words(corpus.texts, **options)
    if not any(words.ids) or not queries:
        return _ranked([], len(queries), corpus)
    query_words = bm25_words(queries, return_ids=False, **options)
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(words, show_progress=False)

    def search(rows: npt.NDArray[np.int64], k: int) -> ScoredPassages:
        passages, scores = index.retrieve([query_words[row] for row in rows], k=k, show_progress=False)
        return passages.astype(np.int64, copy=False), np.where(scores > 0, scores, np.float32(-np.inf))

    return _by_section(search, len(queries), corpus)


def fuse(left: Rankings, right: Rankings, corpus: Corpus, weight: float = 0.5) -> Rankings:
    """Reciprocal rank fusion of two rankings of the same queries; `weight` is the left one's share, 0 to 1."""

    def rows() -> Iterator[ScoredSections]:
        for a, b in zip(left.sections, right.sections, strict=True):
            scores: dict[int, float] = {}
            for ranking, share in ((a, weight), (b, 1 - weight)):
                for rank, section in enumerate(ranking[ranking >= 0].tolist(), start=1):
                    scores[section] = scores.get(section, 0.0) + share / (_RRF_K + rank)
            yield np.array(list(scores), dtype=np.int64), np.array(list(scores.values()), dtype=np.float32)

    return _ranked(rows(), len(left.sections), corpus)


def _by_section(
    search: Callable[[npt.NDArray[np.int64], int], ScoredPassages], queries: int, corpus: Corpus
) -> Rankings:
    """Rank the sections of the passages that `search` gives: the best k of each of these rows of the queries.

    More are fetched for a query until its last section scores above the last passage fetched: otherwise a section with
    many passages, or many passages with one score, would hide sections that belong in the ranking.
    """
    sections = np.full((queries, DEPTH), -1, dtype=np.int64)
    scores = np.full((queries, DEPTH), -np.inf)
    todo = [(np.arange(queries), min(_PASSAGES, len(corpus.texts)))]
    while todo:
        rows, k = todo.pop()
        if len(rows) > (most := max(1, _CHUNK // max(k, 1))):
            todo.append((rows[most:], k))
            rows = rows[:most]
        passages, values = search(rows, k)
        ranked = _ranked(_collapsed(passages, values, corpus), len(rows), corpus)
        sections[rows], scores[rows] = ranked.sections, ranked.scores
        last = values[:, -1]
        undecided = (ranked.scores[:, -1] <= last) & (last > -np.inf)
        if k < len(corpus.texts) and undecided.any():
            todo.append((rows[undecided], min(4 * k, len(corpus.texts))))
    return Rankings(sections, scores)


def _collapsed(
    rankings: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], corpus: Corpus
) -> Iterator[ScoredSections]:
    for passages, values in zip(rankings, scores, strict=True):
        known = values > -np.inf
        # Passages come best first, so a section's first one is its best.
        sections, first = np.unique(corpus.section_of[passages[known]], return_index=True)
        yield sections, values[known][first]


def _ranked(rows: Iterable[ScoredSections], count: int, corpus: Corpus) -> Rankings:
    """The rankings of `count` queries; those without a row are empty."""
    sections = np.full((count, DEPTH), -1, dtype=np.int64)
    scores = np.full((count, DEPTH), -np.inf)
    for row, (ids, values) in enumerate(rows):
        order = np.lexsort((-corpus.tie_order[ids], -values))[:DEPTH]
        sections[row, : len(order)] = ids[order]
        scores[row, : len(order)] = values[order]
    return Rankings(sections, scores)
