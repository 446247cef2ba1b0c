"""MNRL for batches in which each passage stands once, with all its queries."""

from collections.abc import Iterable

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor


class MultiQueryRankingLoss(MultipleNegativesRankingLoss):
    """Multiple negatives ranking loss (InfoNCE, arXiv:1807.03748) on logits [queries, passages].

    The label of a query is its passage's place in the batch; every other passage is a negative, but for copies of
    its own passage, which are left out of the sum. A passage with four queries is so encoded once, not four times.
    """

    def __init__(self, model: SentenceTransformer, temperature: float, microbatch_tokens: int) -> None:
        super().__init__(model, scale=1.0 / temperature)
        self.microbatch_tokens = microbatch_tokens

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The mean loss of the batch's queries, from the features that `batches.Collator` makes."""
        anchors, passages = sentence_features
        queries = self._embed(anchors)
        documents = self._embed(passages)
        logits = self.similarity_fct(queries, documents) * self.scale
        clusters = passages["cluster"]
        copies = clusters[labels].unsqueeze(1) == clusters.unsqueeze(0)
        copies[torch.arange(len(labels), device=labels.device), labels] = False
        return torch.nn.functional.cross_entropy(logits.masked_fill(copies, -torch.inf), labels)

    def _embed(self, features: dict[str, Tensor]) -> Tensor:
        """Encode [n, tokens] in microbatches of like length: [n, dimension] in float32, in input order."""
        mask = features["attention_mask"]
        lengths = mask.sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        parts = []
        for rows in _microbatches(order, lengths[order].tolist(), self.microbatch_tokens):
            width = int(lengths[rows[0]])
            part = {"input_ids": features["input_ids"][rows, :width], "attention_mask": mask[rows, :width]}
            parts.append(self.model(part)["sentence_embedding"].float())
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        return torch.cat(parts)[back]


def _microbatches(order: Tensor, lengths: list[int], budget: int) -> list[Tensor]:
    """Cut rows, longest first, so that rows × longest length stays within the budget; a row at least."""
    cuts, start = [], 0
    while start < len(lengths):
        size = max(1, budget // max(1, lengths[start]))
        cuts.append(order[start : start + size])
        start += size
    return cuts
