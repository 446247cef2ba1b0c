"""A cross-encoder that reorders the sections of each system, to tell if the gain survives a reranker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import CrossEncoder

from fieldtune.corpus.passages import Corpus
from fieldtune.models import checks
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import Rankings, Table
from fieldtune.runtime.console import progress
from fieldtune.runtime.errors import UserError


@dataclass(frozen=True)
class Reranker:
    """A cross-encoder and its arithmetic."""

    model: CrossEncoder
    bf16: bool  # under autocast
    batch_size: int


def load(folder: Path) -> CrossEncoder:
    """Load a cross-encoder's folder in float32, without asking any hub. Raises UserError if that fails."""
    checks.check_reranker(str(folder))
    try:
        loaded: CrossEncoder = CrossEncoder(str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32})
    except Exception as error:  # the class depends on what is broken
        raise UserError(
            f"evaluate.reranker: {folder} could not be loaded as a cross-encoder: {error}\nName another folder, or null"
        ) from error
    if loaded.num_labels != 1:
        raise UserError(
            f"evaluate.reranker: {folder} gives {loaded.num_labels} numbers per pair, not one score: name another"
        )
    return loaded


def rerank(
    reranker: Reranker,
    queries: Sequence[str],
    query_vectors: npt.NDArray[np.float32],
    passage_vectors: Table,
    systems: Mapping[str, Rankings],
    corpus: Corpus,
) -> dict[str, Rankings]:
    """Each system's sections for `queries`, their rows, in the order of the cross-encoder's scores.

    It reads the passage of a section that is nearest to the query by the vectors, whichever system found it, so that
    each pair is read once and has one score.
    """
    model, batch_size = reranker.model, reranker.batch_size
    passages_of: dict[int, list[int]] = {}
    for passage, section in enumerate(corpus.section_of.tolist()):
        passages_of.setdefault(section, []).append(passage)
    scores: list[dict[int, float]] = []
    with (
        progress("reranking", len(queries)) as bar,
        torch.autocast(model.device.type, torch.bfloat16, enabled=reranker.bf16),
    ):
        for row, query in enumerate(queries):
            ranked = {section for rankings in systems.values() for section in rankings.sections[row].tolist()}
            sections = sorted(ranked - {-1})
            near = [_nearest(query_vectors[row], passage_vectors, passages_of[section]) for section in sections]
            pairs = [(query, corpus.texts[passage]) for passage in near]
            given = model.predict(pairs, batch_size=batch_size, show_progress_bar=False) if pairs else np.zeros(0)
            scores.append(dict(zip(sections, np.asarray(given, dtype=np.float64).tolist(), strict=True)))
            bar.advance()
    return {system: ranking.reordered(rankings, scores, corpus) for system, rankings in systems.items()}


def _nearest(query: npt.NDArray[np.float32], vectors: Table, passages: list[int]) -> int:
    return passages[int((vectors[passages] @ query).argmax())] if len(passages) > 1 else passages[0]
