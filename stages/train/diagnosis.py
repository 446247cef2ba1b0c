"""Warnings about what went wrong in a training run, from its curves and vectors, with the remedy."""

import numpy as np
import numpy.typing as npt

from fieldtune.models.drift import UNCHANGED, mean_cosine
from stages.train.trainer import Outcome

_FELL = 0.9  # of the first loss
_ALIKE = 0.95  # mean cosine between two passages of the corpus
_NEARLY_PERFECT = 0.98  # NDCG@10
Vectors = npt.NDArray[np.float32]


def warnings(outcome: Outcome, base_score: float, before: Vectors, after: Vectors) -> list[str]:
    """One or two sentences for each thing that is wrong.

    `before` and `after`, unit vectors [n, dimension]: the same passages by the base model and by the best checkpoint.
    """
    lines = []
    same = mean_cosine(before, after)
    if same > UNCHANGED:
        lines.append(
            f"the vectors are nearly the base model's (mean cosine {same:.4f}): the training had no effect; raise "
            "`train.learning_rate` or `train.epochs`, and check whether the pairs in data/dataset/ teach anything new"
        )
    if alikeness(after) > max(_ALIKE, alikeness(before) + 0.1):
        lines.append(
            f"all passages have nearly the same vector (mean cosine {alikeness(after):.2f} between two, "
            f"{alikeness(before):.2f} before): the model has collapsed; lower `train.learning_rate`"
        )
    losses = [loss for _, loss in outcome.losses]
    if not all(np.isfinite(losses)):
        lines.append("the loss is not a number: lower `train.learning_rate`, or set `precision: fp32`")
    best = max(score for _, score in outcome.dev)
    if best > base_score:
        return lines
    if best >= _NEARLY_PERFECT:
        lines.append(
            f"dev is too easy to show a gain: the base model's NDCG@10 on it is already {base_score:.3f}. Real queries "
            "with `group: dev`, in the words that people type, are harder"
        )
    elif len(losses) > 1 and losses[-1] < _FELL * losses[0]:
        lines.append(
            f"the loss fell ({losses[0]:.3f} → {losses[-1]:.3f}) but dev did not rise (NDCG@10 {base_score:.3f} → "
            f"{best:.3f}): the pairs teach something other than what the dev queries ask. Check "
            "data/dataset/report.json (queries that fit several passages, near copies) and the prompts in "
            "conf/model/, and try `train.learning_rate: 1e-5`"
        )
    elif same <= UNCHANGED:
        lines.append(
            f"no checkpoint beats the base model on dev (NDCG@10 {base_score:.3f}, best {best:.3f}), and the loss "
            "did not fall: lower `train.learning_rate`, or train on more pairs"
        )
    return lines


def alikeness(vectors: Vectors) -> float:
    """The mean cosine between two of the unit vectors."""
    count = len(vectors)
    if count < 2:
        return 0.0
    of_all = float(np.sum(np.sum(vectors, axis=0, dtype=np.float64) ** 2))  # every pair, and each with itself
    return (of_all - count) / (count * (count - 1))
