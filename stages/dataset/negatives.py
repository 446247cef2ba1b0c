"""Hard negatives: passages that look like answers and are none."""

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stages.dataset.config import HardNegatives
from stages.ranking import nearest


def mine(
    queries: npt.NDArray[np.float32],
    positives: Sequence[int],
    passages: npt.NDArray[np.float32],
    cluster_of: Sequence[int],
    config: HardNegatives,
    seed: int,
) -> tuple[list[list[int]], int]:
    """`config.count` passages for each query, hardest first, and how many were drawn at random.

    `queries` [n, d] and `passages` [m, d] are unit vectors, `positives` each query's passage, `cluster_of` each
    passage's cluster: nothing of the positive's cluster is a negative. A hard negative ranks between `first_rank`
    and `last_rank` and scores at most `margin` of the positive's score (NV-Retriever, arXiv:2407.15831). Where
    there are too few, passages drawn at random fill up; a corpus of little but copies may leave a row short.
    """
    found, scores = nearest(queries, passages, config.last_rank)
    draw = random.Random(seed)
    mined: list[list[int]] = []
    random_ones = 0
    for row, positive in enumerate(positives):
        ceiling = config.margin * float(queries[row] @ passages[positive])
        chosen = [
            passage
            for passage, score in zip(
                found[row, config.first_rank - 1 :].tolist(), scores[row, config.first_rank - 1 :].tolist(), strict=True
            )
            if score <= ceiling and cluster_of[passage] != cluster_of[positive]
        ][: config.count]
        for passage in draw.sample(range(len(passages)), min(len(passages), 4 * config.count + 20)):
            if len(chosen) == config.count:
                break
            if cluster_of[passage] != cluster_of[positive] and passage not in chosen:
                chosen.append(passage)
                random_ones += 1
        mined.append(chosen)
    return mined, random_ones
