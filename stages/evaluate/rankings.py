"""Rankings of the judged queries by every system, and each query's scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from fieldtune.corpus.vectors import PASSAGES, QUERIES, StoredVectors, open_vectors, read_vectors
from fieldtune.retrieval import fusion, metrics, ranking, self_passages
from fieldtune.retrieval.fusion import Choice
from fieldtune.retrieval.metrics import Values
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.stored_rankings import read_rankings
from fieldtune.retrieval.systems import COMPARED, SYSTEMS
from fieldtune.runtime import paths
from stages.evaluate.comparison import same_model
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.inputs import Inputs, Models

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """Rankings in the order of the judged queries: by SYSTEMS, and by the models of `evaluate.compare`."""

    systems: dict[str, Rankings]
    values: dict[str, dict[str, Values]]  # system → metric → [queries]
    tuned_share: Choice  # of the tuned model in its hybrid
    tuned_queries: Vectors  # [queries, dimension]
    tuned_passages: Vectors | StoredVectors


def rank(inputs: Inputs, models: Models, config: EvaluateConfig) -> Ranked:
    """Rank with the tuned model's vectors, its hybrid, whose share queries choose, and the compared models."""
    judged, corpus = inputs.judged, inputs.corpus
    passages = open_vectors(paths.TUNED_VECTORS, PASSAGES, corpus.texts)
    queries = read_vectors(paths.TUNED_VECTORS, QUERIES, judged.texts)
    systems = read_rankings(paths.BASELINE_RANKINGS, judged.ids, corpus)
    own = self_passages.own_sections(judged, inputs.passages, corpus.sections)
    tuned, words = self_passages.leave_out(ranking.dense(queries, passages, corpus), own), systems["bm25_fields"]
    deciding = fusion.deciding(judged, corpus, real=config.real_evidence > 0)
    share = fusion.choose_hybrid(tuned, words, judged, corpus, deciding)
    systems |= {"tuned": tuned, "tuned_hybrid": ranking.fuse(tuned, words, corpus, share.share)}
    systems = {system: systems[system] for system in SYSTEMS}
    compared = _compared(inputs, models, [(models.base.model, systems["base"]), (models.tuned.model, tuned)])
    systems |= {name: self_passages.leave_out(rankings, own) for name, rankings in compared.items()}
    values = {system: metrics.per_query(rankings, judged.relevant) for system, rankings in systems.items()}
    return Ranked(systems, values, share, queries, passages)


def _compared(
    inputs: Inputs, models: Models, known: Sequence[tuple[SentenceTransformer, Rankings]]
) -> dict[str, Rankings]:
    """Rankings by the models of `evaluate.compare`; a copy of a `known` model is not encoded again."""
    seen = list(known)
    systems: dict[str, Rankings] = {}
    for name, encoder in models.others.items():
        rankings = next((rankings for other, rankings in seen if same_model(other, encoder.model)), None)
        if rankings is None:
            encode = partial(encoder.encode, label=f"encoding with {name}")
            queries, passages = encode(inputs.judged.texts, "query"), encode(inputs.corpus.texts, "document")
            rankings = ranking.dense(queries, passages, inputs.corpus)
            seen.append((encoder.model, rankings))
        systems[COMPARED + name] = rankings
    return systems
