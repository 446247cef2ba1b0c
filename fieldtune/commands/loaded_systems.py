"""The systems with their models loaded: rankings for a person to read, pools of sections for a person to judge.

Pooling as in TREC: the best sections of each system are judged, in an order that does not reveal which system ranked
what, and a section that no system ranks high counts as not an answer.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus, passage_text, section_id
from fieldtune.corpus.vectors import PASSAGES, MissingVectorsError, read_vectors, shards
from fieldtune.judging.candidates import Candidate, SearchBy
from fieldtune.models import base_models, encoder
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import ranking
from fieldtune.retrieval.bm25 import temporary_index
from fieldtune.retrieval.ranking import Rankings
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from stages.embed.config import EmbedConfig
from stages.rivals.config import RivalsConfig
from stages.rivals.systems import RetrievalTask, load_rivals


class Systems:
    """The base model, BM25, the rivals and, if `dvc repro` has got that far, the tuned model, over the passages."""

    def __init__(self, passages: Sequence[dict[str, Any]]) -> None:
        """`passages`: rows of passages.jsonl.

        Raises UserError if the base model is missing, or its vectors belong to other passages.
        """
        config = load("embed", EmbedConfig)
        self._passages = passages
        # Each passage is a section of its own here, since the best passage of a section is what is shown.
        ids = [row["id"] for row in passages]
        self._corpus = Corpus(ids, np.arange(len(ids)), [passage_text(row) for row in passages])
        with temporary_index(self._corpus.texts) as index:
            self._bm25 = index  # what is mapped into memory outlives its file
        options: dict[str, Any] = {"bf16": use_bf16(config.precision), "batch_size": config.batch_size}
        try:
            base = read_vectors(paths.VECTORS, PASSAGES, self._corpus.texts)
        except MissingVectorsError as error:
            raise UserError(f"{paths.VECTORS} belongs to other passages: run `dvc repro embed`") from error
        folder, name = base_models.locate(config.model), config.model.name
        self._models = {"base": (CachedEncoder(encoder.load_base(config.model), folder, name=name, **options), base)}
        if (paths.MODEL / "modules.json").is_file() and shards(paths.TUNED_VECTORS, PASSAGES):
            try:
                vectors = read_vectors(paths.TUNED_VECTORS, PASSAGES, self._corpus.texts)
            except MissingVectorsError:
                note(f"{paths.TUNED_VECTORS} belongs to other passages: the tuned model is left out")
            else:
                tuned = CachedEncoder(encoder.load_folder(paths.MODEL), paths.MODEL, tuned=True, **options)
                self._models["tuned"] = tuned, vectors

    def pools(self, queries: Sequence[str], top: int) -> list[list[Candidate]]:
        """The sections per query that are among the first `top` of any system, in the order of a hash."""
        rankings = self._rank(queries) | self._rivals(queries)
        return [
            self._pool(query, [system[row] for system in rankings.values()], top) for row, query in enumerate(queries)
        ]

    def best(self, query: str, top: int) -> dict[str, list[tuple[int, float]]]:
        """The best passage of each of the first `top` sections with its score, per system, base first.

        Passages are rows of passages.jsonl.
        """
        rankings = self._rank([query])
        hits: dict[str, list[tuple[int, float]]] = {}
        for name in ("base", "bm25", "tuned"):
            if name in rankings:
                ranked = rankings[name]
                best = self._sections(ranked.sections[0], top)
                scores = dict(zip(ranked.sections[0].tolist(), ranked.scores[0].tolist(), strict=True))
                hits[name] = [(row, scores[row]) for row in best.values()]
        return hits

    def search(self, text: str, by: SearchBy, top: int) -> list[int]:
        """The best passage of each of the first `top` sections by BM25, or by the tuned or else the base model."""
        name = "bm25" if by == "words" else "tuned" if "tuned" in self._models else "base"
        return list(self._sections(self._rank_by(name, [text]).sections[0], top).values())

    def _rank(self, queries: Sequence[str]) -> dict[str, Rankings]:
        """Rankings of passages by each system."""
        return {name: self._rank_by(name, queries) for name in ("bm25", *self._models)}

    def _rank_by(self, name: str, queries: Sequence[str]) -> Rankings:
        if name == "bm25":
            return ranking.by_fields(self._bm25, queries, self._corpus, (0.0,))[0.0]
        model, vectors = self._models[name]
        label = "encoding queries" if len(queries) > 1 else None
        return ranking.dense(model.encode(queries, "query", label=label), vectors, self._corpus)

    def _rivals(self, queries: Sequence[str]) -> dict[str, Rankings]:
        """Rankings of passages by the rivals; one that cannot rank is left out, which is said."""
        if not (paths.CONFIG / "rivals.yaml").is_file():
            return {}
        task = RetrievalTask(queries, queries, self._corpus, self._passages)
        rankings = {}
        try:
            rivals = load_rivals(load("rivals", RivalsConfig))
        except UserError as error:
            note(f"! the rivals are not in the pool: {error}")
            return {}
        for rival in rivals:
            try:
                rankings[rival.name] = rival.rank(task)
            except UserError as error:
                note(f"! {rival.name} is not in the pool: {error}")
        return rankings

    def _sections(self, passages: npt.NDArray[np.int64], top: int) -> dict[tuple[str, str], int]:
        """The first `top` sections of a ranking of passages, each with its first passage."""
        best: dict[tuple[str, str], int] = {}
        for row in passages[passages >= 0].tolist():
            place = self._passages[row]["source"], self._passages[row]["section"]
            if len(best) == top and place not in best:
                break
            best.setdefault(place, row)
        return best

    def _pool(self, query: str, rankings: Sequence[Rankings], top: int) -> list[Candidate]:
        pool: dict[tuple[str, str], set[int]] = {}
        for system in rankings:
            for place, row in self._sections(system.sections, top).items():
                pool.setdefault(place, set()).add(row)
        return [
            Candidate(*place, sorted(pool[place])) for place in sorted(pool, key=lambda place: _draw(query, *place))
        ]


def _draw(query: str, source: str, section: str) -> str:
    return hashlib.sha256(f"{query}\n{section_id(source, section)}".encode()).hexdigest()
