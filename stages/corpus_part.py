"""The part of the corpus that ranks nearly as hard as the whole: where encoding all of it would take too long."""

import random

import numpy as np
import numpy.typing as npt

from stages import ranking
from stages.query_sets import Judged
from stages.ranking import Corpus


def part_of_corpus(
    judged: Judged,
    corpus: Corpus,
    queries: npt.NDArray[np.float32],
    passages: npt.NDArray[np.float32],
    size: int,
    seed: int,
) -> npt.NDArray[np.int64]:
    """Rows of the passages to rank against, sorted: all answers, the nearest others by their vectors, random ones.

    `queries` and `passages` are unit vectors of all queries and passages by a model that is there already. At most
    `size` rows, but every answer is in.
    """
    if len(passages) <= size:
        return np.arange(len(passages))
    answers = set().union(*judged.relevant)
    chosen = {row for row, section in enumerate(corpus.section_of.tolist()) if section in answers}
    near, _ = ranking.nearest(queries, passages, 20)
    for column in near.T.tolist():
        for row in column:
            if len(chosen) >= 0.8 * size:
                break
            chosen.add(row)
    rest = sorted(set(range(len(passages))) - chosen)
    chosen |= set(random.Random(seed).sample(rest, max(0, size - len(chosen))))
    return np.array(sorted(chosen), dtype=np.int64)
