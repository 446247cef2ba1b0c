"""The facts that every output of the stage is made from: metrics.json, the report, the summary and the plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fieldtune.retrieval.significance import Interval
from stages.evaluate.data_curve import DataCurve
from stages.evaluate.deployment import Deployment
from stages.evaluate.examples import Example
from stages.evaluate.probe import Probe
from stages.evaluate.rivals import RivalScore
from stages.evaluate.scores import SetScores
from stages.evaluate.vectors import VectorScore
from stages.evaluate.verdict import Judgement


@dataclass(frozen=True)
class Background:
    """Facts from earlier stages."""

    base_model: str
    advice: str  # the stage `baseline`'s, about the base model
    dataset: Mapping[str, Any]  # the data set's report.json
    ingest: Mapping[str, Any]  # the passages' report.json
    real: Mapping[str, Any]  # the real queries' report.json
    history: Mapping[str, Any]  # the training's history.json
    cost: Mapping[str, Mapping[str, float]]  # of the queries, by model
    sizes: Mapping[str, int]  # bytes, by what takes them
    settings: str  # hash of the settings of the training and these scores


@dataclass(frozen=True)
class Evaluation:
    """Facts that the stage measured. An optional part that is missing is not shown."""

    background: Background
    judgement: Judgement
    main_set: str  # of `sets`, the verdict's
    test_set: str  # hash of the main set's queries and answers
    sets: Mapping[str, SetScores]
    kinds: Mapping[str, SetScores]  # of generated queries
    similarity: float  # mean cosine between the corpus's vectors before and after tuning
    weights: Mapping[str, float]  # the model's shares of the hybrids
    heading_share: float  # of the headings in BM25's score
    crossfitted_shares: Mapping[str, Mapping[str, Any]]  # of those that real queries chose: `fusion.by_halves`
    wins: Sequence[Example]
    losses: Sequence[Example]
    # Settings
    negligible: float
    meaningful: float
    confidence: float
    reranker: str | None = None
    deployments: Sequence[Deployment] = ()
    rivals: Sequence[RivalScore] = ()  # with the tuned model at the end, for comparison; empty: there are none
    # Optional parts
    chosen_by: str | None = None  # real | dev; None: the model was not trained here
    crossfitted: Interval | None = None  # the gain on real queries, of a tuned model that they chose or let pass
    languages: Mapping[str, SetScores] = field(default_factory=dict)  # of generated queries, if there are several
    vectors: Sequence[VectorScore] = ()
    probe: Probe | None = None
    reranked: SetScores | None = None
    curve: DataCurve | None = None

    @property
    def main(self) -> SetScores:
        return self.sets[self.main_set]
