"""Real test queries as evidence: they choose between the tuned model and the base if there are enough of them.

They are used in two halves of whole clusters, so that no choice rests on one document or one lucky draw. From 100
queries on they decide if the halves agree and the gain is beyond luck; from 30 on they can keep the base model, and
nothing else. If they do not decide, dev does. They stay in the test: `evaluate` gives the cross-fitted gain beside the
plain one, which is slightly optimistic for a model that they chose or let pass.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.halves import DECIDING, shuffled
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.significance import standard_error
from stages.train.choice import sure

_FEWEST = 30  # real queries; fewer tell nothing


@dataclass(frozen=True)
class RealEvidence:
    """The tuned model compared with the base model on real queries, on a part of the corpus."""

    ids: list[str]
    clusters: npt.NDArray[np.int64]  # [queries]
    second: npt.NDArray[np.bool_]  # [queries]: of the second half
    gains: npt.NDArray[np.float64]  # in NDCG@10 [queries]

    @property
    def half_gains(self) -> tuple[float, float]:
        """The mean gain of each half."""
        return float(self.gains[~self.second].mean()), float(self.gains[self.second].mean())


@dataclass(frozen=True)
class Decision:
    """The choice between the tuned model and the base model, and who made it."""

    keeps_base: bool
    by: Literal["real", "dev"]
    doubt: str | None = None  # why the base is kept; None if dev simply scores it higher


def sample_real_queries(judged: Judged, most: int, seed: int) -> npt.NDArray[np.int64]:
    """Rows of the real test queries to use, sorted: whole clusters drawn at random, `most` queries or slightly more.

    Empty if there are fewer than 30, or if all are in one cluster.
    """
    rows = judged.rows(["real"])
    if len(rows) < _FEWEST or len(set(judged.clusters[rows].tolist())) < 2:
        return np.array([], dtype=np.int64)
    chosen: list[int] = []
    for cluster in shuffled(judged.clusters[rows], seed):
        if len(chosen) < most:
            chosen += rows[judged.clusters[rows] == cluster].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def decide(dev: Decision, evidence: RealEvidence | None, certainty: float) -> Decision:
    """Choose by the real queries if they can tell, otherwise by dev.

    `certainty` is how sure the gain of all of them must be, one-sided; the halves need only agree.
    """
    if evidence is None:
        return dev
    if len(evidence.gains) < DECIDING:
        reason = _objection(evidence)
        return Decision(True, "real", reason) if reason and not dev.keeps_base else dev
    first, second = evidence.half_gains
    if min(first, second) > 0 and sure(evidence.gains, evidence.clusters, certainty):
        return Decision(False, "real")
    if max(first, second) <= 0:
        reason = (
            f"with the tuned model neither half of {len(evidence.gains):,} real queries is better ({first:+.3f} and "
            f"{second:+.3f})"
        )
        return Decision(True, "real", reason)
    return dev


def _objection(evidence: RealEvidence) -> str | None:
    """The reason to keep the base: a half loses beyond its standard error, or neither half gains; None without one."""
    first, second = evidence.half_gains
    halves = ((first, ~evidence.second), (second, evidence.second))
    loses = any(mean < -standard_error(evidence.gains[half], evidence.clusters[half]) for mean, half in halves)
    if not loses and max(first, second) > 0:
        return None
    return (
        f"with the tuned model one half of {len(evidence.gains):,} real queries is better by {first:+.3f}, the other "
        f"by {second:+.3f}"
    )
