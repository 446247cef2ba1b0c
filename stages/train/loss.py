"""MNRL for batches in which each passage stands once, with all its queries."""

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor

from stages.encoder import microbatches


class MultiQueryRankingLoss(MultipleNegativesRankingLoss):
    """Multiple negatives ranking loss (InfoNCE, arXiv:1807.03748) on logits [queries, passages].

    The label of a query is its passage's place in the batch; every other passage is a negative, but for copies of
    its own passage and, with a `margin`, those `above_margin`, which are left out of the sum. A passage with four
    queries is so encoded once, not four times.
    """

    def __init__(
        self, model: SentenceTransformer, temperature: float, microbatch_tokens: int, margin: float | None
    ) -> None:
        super().__init__(model, scale=1.0 / temperature)
        self.microbatch_tokens = microbatch_tokens
        self.margin = margin

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor) -> Tensor:
        """The mean loss of the batch's queries, from the features that `batches.Collator` makes."""
        anchors, passages = (dict(features) for features in sentence_features)
        clusters = passages.pop("cluster")
        left_out = clusters[labels].unsqueeze(1) == clusters.unsqueeze(0)
        if self.margin is not None:
            left_out |= above_margin(anchors.pop("base"), passages.pop("base"), labels, self.margin)
        left_out[torch.arange(len(labels), device=labels.device), labels] = False
        queries = self._embed(anchors)
        documents = self._embed(passages)
        logits = self.similarity_fct(queries, documents) * self.scale
        return torch.nn.functional.cross_entropy(logits.masked_fill(left_out, -torch.inf), labels)

    def _embed(self, features: dict[str, Any]) -> Tensor:
        """Encode [n, tokens] in microbatches of like length: [n, dimension] in float32, in input order."""
        ids, mask = features["input_ids"], features["attention_mask"]
        lengths = mask.sum(dim=1).tolist()
        cuts = microbatches(lengths, self.microbatch_tokens)
        parts = []
        for rows in cuts:
            width = lengths[rows[0]]
            part = {**features, "input_ids": ids[rows, :width], "attention_mask": mask[rows, :width]}
            parts.append(self.model(part)["sentence_embedding"].float())
        back = torch.tensor([row for rows in cuts for row in rows], device=ids.device).argsort()
        return torch.cat(parts)[back]


def above_margin(queries: Tensor, passages: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Which passages look too much like answers to be negatives: bool [queries, passages].

    From the base model's unit vectors, [queries, d] and [passages, d]: those that score above `margin` of what the
    query's own passage, `labels`, scores (the positive-aware rule that NV-Retriever, arXiv:2407.15831, mines with).
    """
    with torch.autocast(queries.device.type, enabled=False):  # bfloat16 has not the digits for a margin
        scores = queries @ passages.T
    own = scores.gather(1, labels.unsqueeze(1))
    return scores > own - (1 - margin) * own.abs()  # below the positive where that scores below 0, too
