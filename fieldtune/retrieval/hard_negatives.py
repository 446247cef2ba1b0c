"""Hard negatives: passages that look like answers and are not."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fieldtune.runtime.settings import between

if TYPE_CHECKING:  # compose must be quick, and mines nothing
    import numpy as np
    import numpy.typing as npt

    from fieldtune.retrieval.ranking import Table


@dataclass
class HardNegatives:
    count: int = between(0, 50)  # per query
    first_rank: int = between(1, 1000)  # passages ranked above this are too likely to be answers themselves
    last_rank: int = between(1, 1000)  # passages ranked below this are not looked at
    # A negative scores at most this share of the positive's score (NV-Retriever, arXiv:2407.15831, TopK-PercPos)
    margin: float = between(0.1, 1.0)


def mine(
    queries: "npt.NDArray[np.float32]",
    positives: Sequence[int],
    passages: "Table",
    cluster_of: Sequence[int],
    config: HardNegatives,
    seed: int,
) -> tuple[list[list[int]], int]:
    """`config.count` passages for each query, hardest first, and how many were drawn at random.

    `queries` [n, d] and `passages` [m, d] are unit vectors, `positives` each query's passage, `cluster_of` each
    passage's cluster: nothing of the positive's cluster is a negative. A hard negative ranks between `first_rank`
    and `last_rank` and scores at most `margin` of the positive's score (NV-Retriever, arXiv:2407.15831). If there
    are too few, passages drawn at random fill the row, those within the margin first; a corpus of mostly copies may
    leave a row short.
    """
    import numpy as np

    from fieldtune.retrieval.ranking import nearest

    candidates, scores = nearest(queries, passages, config.last_rank)
    answers = passages[np.array(positives, dtype=np.int64)]
    draw = random.Random(seed)
    mined: list[list[int]] = []
    random_ones = 0
    for row, positive in enumerate(positives):
        own = float(queries[row] @ answers[row])
        ceiling = own - (1 - config.margin) * abs(own)  # below the positive even if that scores below 0
        chosen = [
            passage
            for passage, score in zip(
                candidates[row, config.first_rank - 1 :].tolist(),
                scores[row, config.first_rank - 1 :].tolist(),
                strict=True,
            )
            if score <= ceiling and cluster_of[passage] != cluster_of[positive]
        ][: config.count]
        if len(chosen) < config.count:
            drawn = np.array(draw.sample(range(len(passages)), min(len(passages), 4 * config.count + 20)))
            within_first = np.argsort(passages[drawn] @ queries[row] > ceiling, kind="stable")
            others = [
                passage
                for passage in drawn[within_first].tolist()
                if cluster_of[passage] != cluster_of[positive] and passage not in chosen
            ][: config.count - len(chosen)]
            chosen += others
            random_ones += len(others)
        mined.append(chosen)
    return mined, random_ones
