"""Ways to make a training step fit into memory. All but the last give the same gradients."""

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from torch import Tensor
from transformers import PreTrainedModel

from fieldtune.runtime.errors import UserError
from fieldtune.runtime.memory import free_memory
from stages.train import adapters
from stages.train.loss import MultiQueryRankingLoss

_HEADROOM = 0.9  # of the memory that is free
_FEWEST_TOKENS = 64  # of a microbatch
Features = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A way to run a batch through the model."""

    batch_size: int  # passages
    microbatch_tokens: int
    cached: bool  # gradient cache: activations of one microbatch at a time
    checkpointing: bool  # additionally, activations of one layer at a time

    def summary(self, first: "Plan") -> str:
        """The strongest measure that this plan takes and `first` does not, in words."""
        if self.batch_size != first.batch_size:
            return f"batches of {self.batch_size:,} passages instead of {first.batch_size:,}: fewer negatives per query"
        if self.microbatch_tokens != first.microbatch_tokens:
            return f"microbatches of {self.microbatch_tokens:,} tokens: the same gradients, slower"
        if self.checkpointing and not first.checkpointing:
            return "gradient checkpointing: the same gradients with one layer's activations at a time"
        return f"gradient cache: the same gradients in microbatches of {self.microbatch_tokens:,} tokens"


def ways(first: Plan) -> Iterator[Plan]:
    """`first`, then plans that need less and less memory."""
    plan = first
    yield plan
    if not plan.cached:
        yield (plan := replace(plan, cached=True))
    if not plan.checkpointing:
        yield (plan := replace(plan, checkpointing=True))
    while plan.microbatch_tokens > _FEWEST_TOKENS:
        yield (plan := replace(plan, microbatch_tokens=max(_FEWEST_TOKENS, plan.microbatch_tokens // 2)))
    while plan.batch_size > 2:
        yield (plan := replace(plan, batch_size=max(2, plan.batch_size // 2)))


def choose(first: Plan, fits: Callable[[Plan], bool], say: Callable[[str], None]) -> Plan:
    """The first way that fits; `say` takes one line for it if it is not `first`.

    Raises UserError if none does.
    """
    for plan in ways(first):
        if fits(plan):
            if plan != first:
                say(f"memory is short for the longest batch: {plan.summary(first)}")
            return plan
    raise UserError(
        "no training step of this model fits into memory: set `train.lora: 16`, choose a smaller model or a lower "
        "`max_tokens` in its file in conf/model/, or close other programs that use memory"
    )


def fits(
    model: SentenceTransformer, loss: MultiQueryRankingLoss, batch: Callable[[int], Features], bf16: bool
) -> Callable[[Plan], bool]:
    """A test of a plan: on a GPU it is tried; on a CPU, where running out of memory raises no error, it is estimated.

    `batch` gives the longest batch of that many passages, as the collator makes it.
    """

    def tried(plan: Plan) -> bool:
        apply(model, loss, plan)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        try:
            with torch.random.fork_rng(devices=[model.device]), torch.autocast("cuda", torch.bfloat16, enabled=bf16):
                # What the optimizer will hold; and, with several processes, what they exchange.
                held = 2 + ("WORLD_SIZE" in os.environ)
                moments = [torch.empty_like(parameter) for parameter in parameters for _ in range(held)]
                _loss_of(loss, batch_to_device(batch(plan.batch_size), model.device)).backward()  # type: ignore[no-untyped-call]
                torch.cuda.synchronize()
                del moments
            return True
        except torch.OutOfMemoryError:
            return False
        finally:
            model.zero_grad(set_to_none=True)
            gc.collect()
            torch.cuda.empty_cache()

    def estimated(plan: Plan) -> bool:
        return need(model, loss, batch(plan.batch_size), plan, bf16) < _HEADROOM * free_memory()

    return tried if model.device.type == "cuda" else estimated


def need(model: SentenceTransformer, loss: MultiQueryRankingLoss, features: Features, plan: Plan, bf16: bool) -> int:
    """Bytes that a step takes besides the weights: gradients, Adam's two moments, activations and logits.

    The activations are counted in one microbatch, as autograd keeps them, and taken for all. Leaves model and loss
    as `plan` has them.
    """
    apply(model, loss, replace(plan, checkpointing=False))  # no hook shows what a checkpoint holds
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    queries, passages = loss.sides(features)
    tokens = sum(int(side["attention_mask"].sum()) for side in (queries, passages))
    kept: dict[int, int] = {}  # address of what autograd keeps → bytes

    def count(tensor: Tensor) -> Tensor:
        if (address := tensor.untyped_storage().data_ptr()) not in weights:
            kept[address] = tensor.untyped_storage().nbytes()
        return tensor

    inputs = {name: value for name, value in passages.items() if name not in ("text", "cluster")}
    inputs = batch_to_device(inputs, model.device)
    with (
        torch.random.fork_rng(devices=[]),
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        torch.autocast(model.device.type, torch.bfloat16, enabled=bf16),
    ):
        vectors, *_ = next(loss.embed_minibatch_iter(inputs, with_grad=True, copy_random_state=False))
    # The longest texts come first; `vectors` held their graph until now: addresses are used again.
    of_a_token = sum(kept.values()) / (len(vectors) * inputs["input_ids"].shape[1])
    if plan.checkpointing:  # the inputs of all layers, and everything of the one that is recomputed
        transformer: Any = model.transformers_model
        depth, width = len(adapters.layers(transformer)), transformer.config.hidden_size
        of_a_token = depth * width * 4 + of_a_token / depth
    apply(model, loss, plan)
    activations = of_a_token * (min(tokens, plan.microbatch_tokens) if plan.cached else tokens)
    logits = 4 * 4 * len(queries["input_ids"]) * len(passages["input_ids"])  # float32, four of them
    return int(3 * trained + activations + logits)


def apply(model: SentenceTransformer, loss: MultiQueryRankingLoss, plan: Plan) -> None:
    """Make the loss and the model follow the plan."""
    loss.cached = plan.cached
    loss.mini_batch_num_tokens = plan.microbatch_tokens
    for module in model.modules():
        # Not by the trainer's argument: it calls a method of SentenceTransformer that is deprecated.
        if isinstance(module, PreTrainedModel) and module.supports_gradient_checkpointing:
            if plan.checkpointing:
                module.activation_checkpointing_enable()
            else:
                module.activation_checkpointing_disable()  # type: ignore[no-untyped-call]


def _loss_of(loss: MultiQueryRankingLoss, features: Features) -> Tensor:
    value = loss(loss.sides(features), features["label"])
    assert isinstance(value, Tensor)
    return value
