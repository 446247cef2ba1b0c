"""The candidate of a run, its best checkpoint or a mixture with the base, and dev's reason against it."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import t
from sentence_transformers import SentenceTransformer
from torch import Tensor

from fieldtune.corpus.providers import TYPED
from fieldtune.retrieval.significance import standard_error
from stages.train.dev import METRIC, DevEvaluator
from stages.train.trainer import Outcome

_ENOUGH = 30  # queries, or clusters of them, for which the normal distribution can tell a gain from luck


def choose(
    model: SentenceTransformer,
    base: SentenceTransformer,
    evaluator: DevEvaluator,
    outcome: Outcome,
    interpolations: int,
    furthest: float = 1.0,
) -> tuple[float, float]:
    """Leave `model` at the best on dev of its best checkpoint and mixtures of that with the base: the candidate.

    Returns the candidate's NDCG@10 and its share of the way from the base's weights to the checkpoint's, above 0 and at
    most `furthest`. Of equals the nearest to the base is taken.
    """
    ends = {name: value.detach().clone() for name, value in model.state_dict().items()}
    starts = base.state_dict()
    candidates = {1.0: dict(outcome.dev)[outcome.best]} if furthest == 1.0 else {}
    for number in range(1, interpolations + (1 if furthest == 1.0 else 2)):
        share = furthest * number / (interpolations + 1)
        model.load_state_dict(mixture(starts, ends, share))
        candidates[share] = round(evaluator(model)[METRIC], 6)
    share = max(candidates, key=lambda share: (candidates[share], -share))
    model.load_state_dict(mixture(starts, ends, share))
    return candidates[share], share


def sure(gains: npt.NDArray[np.float64], clusters: npt.NDArray[np.int64], certainty: float) -> bool:
    """Tell if the mean gain is above 0 with `certainty`, one-sided.

    `gains` [queries]; queries of one of the `clusters` [queries] are not independent. By the normal distribution, with
    few clusters by the t distribution; a single cluster tells nothing.
    """
    mean = float(gains.mean())
    if certainty <= 0.5 or mean <= 0:
        return mean > 0
    number = len(np.unique(clusters))
    if number < 2:
        return False
    errors = NormalDist().inv_cdf(certainty) if number >= _ENOUGH else float(t.ppf(certainty, number - 1))
    return mean > errors * standard_error(gains, clusters)


def reason_to_keep_base(
    gains: npt.NDArray[np.float64],
    clusters: npt.NDArray[np.int64],
    kinds: Sequence[str],
    certainty: float,
    negligible: float,
) -> str | None:
    """The reason why the gain on the dev queries is not enough to replace the base model; None if it is enough.

    `gains` [queries]; `kinds`, of each query. A generated kind that people may not type cannot carry the choice:
    without the kind that gains most the gain must still be above `negligible`, beyond luck if the others are enough
    to tell.
    """
    if not sure(gains, clusters, certainty):
        return f"on dev the tuned model is ahead by {gains.mean():+.3f}, which with {len(gains):,} queries may be luck"
    of_kind = np.array(kinds)
    if certainty <= 0.5 or len(set(kinds)) == 1:
        return None
    most = max(sorted(set(kinds)), key=lambda kind: float(gains[of_kind == kind].mean()))
    if most in TYPED:
        return None
    rest = of_kind != most
    tells = np.count_nonzero(rest) >= _ENOUGH
    if sure(gains[rest] - negligible, clusters[rest], certainty if tells else 0.5):
        return None
    return (
        f"the gain on dev comes from one kind of query, {most} ({gains[~rest].mean():+.3f}): without that kind, it is "
        f"{gains[rest].mean():+.3f}, not {negligible:.2f} beyond luck"
    )


def mixture(starts: dict[str, Tensor], ends: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights that are `share` of the way from the ones to the others."""
    if share in (0.0, 1.0):
        return ends if share else starts
    return {
        name: start.lerp(ends[name], share) if start.is_floating_point() else start for name, start in starts.items()
    }
