"""Rankings of the judged queries by every system, and each query's scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.vectors import PASSAGES, QUERIES, StoredVectors, open_vectors, read_vectors
from fieldtune.retrieval import fusion, metrics, ranking, self_passages
from fieldtune.retrieval.fusion import Choice
from fieldtune.retrieval.metrics import Values
from fieldtune.retrieval.ranking import Rankings
from fieldtune.retrieval.stored_rankings import read_rankings
from fieldtune.retrieval.systems import RIVAL, SYSTEMS
from fieldtune.runtime import paths
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.inputs import Inputs

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """Rankings in the order of the judged queries: by SYSTEMS, and by the rivals."""

    systems: dict[str, Rankings]
    values: dict[str, dict[str, Values]]  # system → metric → [queries]
    tuned_share: Choice  # of the tuned model in its hybrid
    tuned_queries: Vectors  # [queries, dimension]
    tuned_passages: Vectors | StoredVectors

    def values_of(self, rows: npt.NDArray[np.int64]) -> dict[str, dict[str, Values]]:
        """The values of the systems that rank any of these queries: a rival may rank none of a set."""
        there = (system for system, rankings in self.systems.items() if (rankings.sections[rows, 0] >= 0).any())
        ranks = {*SYSTEMS, *there}
        return {system: values for system, values in self.values.items() if system in ranks}


def rank(inputs: Inputs, config: EvaluateConfig) -> Ranked:
    """Rank with the tuned model, and its hybrid, whose share queries choose; the others are ranked already."""
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
    rivals = read_rankings(paths.RIVALS_RANKINGS, judged.ids, corpus)
    systems |= {RIVAL + name: rankings for name, rankings in rivals.items()}
    values = {system: metrics.per_query(rankings, judged.grades) for system, rankings in systems.items()}
    return Ranked(systems, values, share, queries, passages)
