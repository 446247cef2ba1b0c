"""MNRL for batches in which each passage appears once, with all its queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses.gradcache import CachedLossMixin
from torch import Tensor, nn

from fieldtune.models import processes
from fieldtune.models.tokens import is_flat, join


@dataclass(frozen=True)
class Pairing:
    """The passages of a batch, as seen by its queries."""

    own: Tensor  # [queries]: each query's passage
    left_out: Tensor  # bool [queries, passages]: neither the query's passage nor a negative


class MultiQueryRankingLoss(CachedLossMixin, nn.Module):
    """Multiple negatives ranking loss (InfoNCE, arXiv:1807.03748) on logits [queries, passages].

    The label of a query is its passage's place in the batch; every other passage is a negative, except copies of its
    own passage, which are left out of the sum. A passage with four queries is thus encoded once, not four times. With
    several processes, each one's queries are compared with the passages of all.

    `symmetric` adds the same loss from passages to queries. `dimensions` adds the loss of the vectors' first numbers
    (Matryoshka, arXiv:2205.13147); the mean of all is taken. Once its attribute `cached` is set, it encodes in
    microbatches twice and keeps the activations of one at a time (GradCache, arXiv:2101.06983): the same gradients in
    less memory and more time.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        temperature: float,
        microbatch_tokens: int,
        *,
        symmetric: bool = False,
        dimensions: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.model = model
        self.scale = 1.0 / temperature
        self.mini_batch_size = 0  # the library's microbatches count rows; ours count tokens
        self.mini_batch_num_tokens = microbatch_tokens
        self.symmetric = symmetric
        self.dimensions = tuple(dimensions)
        self.cached = False
        self._pairing: Pairing | None = None

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor) -> Tensor:
        """The mean loss of the batch's queries, from the features that `batches.Collator` makes."""
        anchors, passages = (dict(features) for features in sentence_features)
        self._pairing = self._pair(passages, labels)
        if self.cached:
            return self.forward_cached([anchors, passages])
        return self.calculate_loss(self._encode(anchors, passages))

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """The loss of vectors that come in microbatches: first those of the queries, then of the passages."""
        assert self._pairing is not None
        with torch.autocast(reps[0][0].device.type, enabled=False):  # bfloat16 lacks the digits for cosines / 0.05
            queries, passages = (torch.cat(parts).float() for parts in reps)
            passages, _ = processes.gather(passages)
            sizes = (*self.dimensions, queries.shape[1])
            summed = [self._sum(queries[:, :size], passages[:, :size], self._pairing) for size in sizes]
            loss = _mean(torch.stack(summed).mean(), len(queries))
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()
        return loss

    @staticmethod
    def sides(batch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The features of a batch that `batches.Collator` made: of the queries, and of the passages."""
        anchors, passages = (
            {name.removeprefix(side): value for name, value in batch.items() if name.startswith(side)}
            for side in ("anchor_", "positive_")
        )
        return anchors, passages

    def _encode(self, *sides: dict[str, Any]) -> list[list[Tensor]]:
        if is_flat(*sides):  # nothing is padded: one pass keeps a GPU busy, and no cut makes it wait
            vectors = self.model(join(*sides))["sentence_embedding"]
            return [[part] for part in vectors.split([len(side["cu_seq_lens_q"]) - 1 for side in sides])]
        grad = torch.is_grad_enabled()
        parts = [self.embed_minibatch_iter(side, with_grad=grad, copy_random_state=False) for side in sides]
        return [[vectors for vectors, _ in part] for part in parts]

    def _pair(self, passages: dict[str, Any], labels: Tensor) -> Pairing:
        """Remove from the features everything that is not an input of the model."""
        text, start = processes.gather(passages.pop("text"))
        cluster, _ = processes.gather(passages.pop("cluster"))
        # A passage that several processes hold counts once.
        first = (text.unsqueeze(0) == text.unsqueeze(1)).int().argmax(dim=1)
        own = first[labels + start]
        left_out = cluster[own].unsqueeze(1) == cluster.unsqueeze(0)
        left_out |= first != torch.arange(len(first), device=first.device)
        return Pairing(own, left_out.scatter(1, own.unsqueeze(1), False))

    def _sum(self, queries: Tensor, passages: Tensor, pairing: Pairing) -> Tensor:
        """The sum of the queries' losses."""
        logits = nn.functional.normalize(queries) @ nn.functional.normalize(passages).T * self.scale
        logits = logits.masked_fill(pairing.left_out, -torch.inf)
        loss = nn.functional.cross_entropy(logits, pairing.own, reduction="sum")
        if not self.symmetric:
            return loss
        # From a passage to one of its queries, against the queries of other passages, those of all processes.
        right = logits.gather(1, pairing.own.unsqueeze(1)).squeeze(1)
        no = torch.finfo(logits.dtype).min / 2  # not infinity: a passage may have no others, and needs a gradient
        here = logits.clamp(min=no).scatter(1, pairing.own.unsqueeze(1), no).logsumexp(dim=0)
        others = processes.gather(here.unsqueeze(0))[0].logsumexp(dim=0)[pairing.own]
        return (loss + (torch.logaddexp(right, others) - right).sum()) / 2


def _mean(summed: Tensor, count: int) -> Tensor:
    """The mean over all processes, from each one's sum and count.

    Multiplied by the number of processes, since their gradients are averaged.
    """
    return summed * (processes.count() / processes.total(count, summed.device))
