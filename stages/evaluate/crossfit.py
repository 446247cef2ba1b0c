"""The cross-fitted gain on real queries: those that chose the model are scored under the choice of their other half."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.significance import Interval
from stages.evaluate import bootstrap
from stages.evaluate.config import EvaluateConfig


def crossfitted_gain(
    evidence: Mapping[str, Sequence[Any]], judged: Judged, gains: npt.NDArray[np.float64], config: EvaluateConfig
) -> Interval:
    """The mean gain over the base on the real test queries, with its interval.

    `evidence` has the queries that took part in the choice: `query_id`, `half` (1 or 2) and `gain`, by which a half
    chose the tuned model if the mean is above 0. `gains` [judged queries] are those in the test, against the whole
    corpus. A query counts with its gain if the other half chose the tuned model, with 0 if it chose the base; queries
    that took no part count with their gain.
    """
    halves, measured = np.array(evidence["half"]), np.array(evidence["gain"])
    chose_base = [half for half in (1, 2) if measured[halves == half].mean() <= 0]
    under_base = {
        query for query, half in zip(evidence["query_id"], evidence["half"], strict=True) if 3 - half in chose_base
    }
    rows = judged.sets["real"]
    values = np.array([0.0 if judged.ids[row] in under_base else gains[row] for row in rows.tolist()])
    clusters = judged.clusters[rows]
    (sampled,) = bootstrap.means(values[None], clusters, config.draws, config.seed)
    return bootstrap.interval(float(values.mean()), sampled, config.confidence, len(np.unique(clusters)), (-1.0, 1.0))
