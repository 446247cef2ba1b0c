"""The memory that a step takes, the ways to take less, and that they change nothing."""

import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from fieldtune.runtime.errors import UserError
from stages.train import adapters, memory
from stages.train.batches import Collator, by_passage
from stages.train.loss import MultiQueryRankingLoss
from stages.train.memory import Plan, choose, need, ways
from stages.train.trainer import disable_attention_dropout
from tests.tiny_model import WORDS, tiny_model

FIRST = Plan(batch_size=8, microbatch_tokens=256, cached=False, checkpointing=False)
LADDER = [
    FIRST,
    Plan(8, 256, True, False),
    Plan(8, 256, True, True),
    Plan(8, 128, True, True),
    Plan(8, 64, True, True),
    Plan(4, 64, True, True),
    Plan(2, 64, True, True),
]
PASSAGES = [" ".join(WORDS[(i + 3 * j) % 60] for j in range(60)) for i in range(24)]
ROWS = by_passage(
    [" ".join(WORDS[(i + 5 * j) % 60] for j in range(6)) for i in range(24)],
    PASSAGES,
    [[]] * 24,
    {passage: number for number, passage in enumerate(PASSAGES)},
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    made = tiny_model(tmp_path_factory.mktemp("model"))
    made.prompts = {"query": "", "document": ""}
    disable_attention_dropout(made)
    return made.train()


@pytest.fixture(scope="module")
def collator(model: SentenceTransformer) -> Collator:
    return Collator(model, ROWS, 0)


@pytest.fixture
def loss(model: SentenceTransformer) -> MultiQueryRankingLoss:
    return MultiQueryRankingLoss(model, 1.0, 1024)


def test_ways_go_from_the_fastest_to_the_smallest() -> None:
    assert list(ways(FIRST)) == LADDER
    assert list(ways(Plan(3, 100, False, True))) == [
        Plan(3, 100, False, True),
        Plan(3, 100, True, True),
        Plan(3, 64, True, True),
        Plan(2, 64, True, True),  # one passage alone would have no negatives
    ]


@pytest.mark.parametrize(
    ("fits", "plan", "summary"),
    [
        (lambda plan: True, LADDER[0], None),
        (lambda plan: plan.cached, LADDER[1], "gradient cache: the same gradients in microbatches of 256 tokens"),
        (
            lambda plan: plan.checkpointing,
            LADDER[2],
            "gradient checkpointing: the same gradients with one layer's activations at a time",
        ),
        (
            lambda plan: plan.microbatch_tokens < 128,
            LADDER[4],
            "microbatches of 64 tokens: the same gradients, slower",
        ),
        (lambda plan: plan.batch_size < 8, LADDER[5], "batches of 4 passages instead of 8: fewer negatives per query"),
        (lambda plan: plan.batch_size < 4, LADDER[6], "batches of 2 passages instead of 8: fewer negatives per query"),
    ],
)
def test_the_first_way_that_fits_is_chosen_and_said(
    fits: Callable[[Plan], bool], plan: Plan, summary: str | None
) -> None:
    lines: list[str] = []
    tried: list[Plan] = []

    def watched(plan: Plan) -> bool:
        tried.append(plan)
        return fits(plan)

    assert choose(FIRST, watched, lines.append) == plan
    assert tried == LADDER[: LADDER.index(plan) + 1]
    assert lines == ([] if summary is None else [f"memory is short for the longest batch: {summary}"])


def test_no_way_that_fits_is_an_error_that_says_what_to_do() -> None:
    lines: list[str] = []
    with pytest.raises(UserError, match=r"no training step of this model fits into memory: set `train.lora: 16`"):
        choose(FIRST, lambda plan: False, lines.append)
    assert lines == []


def step(loss: MultiQueryRankingLoss, features: dict[str, Any], plan: Plan) -> tuple[float, list[torch.Tensor]]:
    memory.apply(loss.model, loss, plan)
    loss.model.zero_grad()
    value = loss(loss.sides(features), features["label"])
    value.backward()
    return value.item(), [p.grad.clone() for p in loss.model.parameters() if p.grad is not None]


def test_every_way_with_the_same_batch_gives_the_same_gradients(
    model: SentenceTransformer, loss: MultiQueryRankingLoss, collator: Collator
) -> None:
    """Without dropout: microbatches of other sizes draw other masks."""
    features = collator(list(ROWS)[:8])
    model.eval()
    for module in model.modules():  # checkpointing is for training alone
        if type(module).__name__.endswith("Layer"):
            module.training = True
    try:
        value, expected = step(loss, features, FIRST)
        assert len(expected) > 20
        for plan in [*LADDER[1:5], replace(FIRST, microbatch_tokens=64), replace(FIRST, checkpointing=True)]:
            other, gradients = step(loss, features, plan)
            assert other == pytest.approx(value, abs=1e-5), plan
            for gradient, whole in zip(gradients, expected, strict=True):
                torch.testing.assert_close(gradient, whole, atol=1e-5, rtol=1e-5)
    finally:
        memory.apply(model, loss, FIRST)
        model.train()


class Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all tensors that are made while it is on, at their most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        before = {
            tensor.untyped_storage().data_ptr() for tensor in tree_flatten((args, kwargs))[0] if torch.is_tensor(tensor)
        }
        for made in filter(torch.is_tensor, tree_flatten(result)[0]):
            storage = made.untyped_storage()
            address, size = storage.data_ptr(), storage.nbytes()
            if size and address not in before and address not in self._known:
                self._known.add(address)
                self.now += size
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self._gone, address, size)
        return result

    def _gone(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.now -= size


@pytest.mark.parametrize("bf16", [False, True])
def test_what_a_step_needs_is_about_what_torch_takes(
    bf16: bool, model: SentenceTransformer, loss: MultiQueryRankingLoss, collator: Collator
) -> None:
    plans = list(ways(Plan(24, 512, False, False)))[:4]
    estimates = []
    for plan in plans:
        features = collator(list(ROWS)[: plan.batch_size])
        estimates.append(need(model, loss, features, plan, bf16))
        assert (loss.cached, loss.mini_batch_num_tokens) == (plan.cached, plan.microbatch_tokens)
        model.zero_grad()
        with Peak() as peak, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = loss(loss.sides(features), features["label"])
            value.backward()
        gradients = sum(p.grad.numel() * 4 for p in model.parameters() if p.grad is not None)
        assert estimates[-1] == pytest.approx(peak.most + 2 * gradients, rel=0.3), plan  # Adam's moments besides
    memory.apply(model, loss, FIRST)
    assert estimates == sorted(estimates, reverse=True)
    assert estimates[0] > 4 * estimates[-1]


def test_adapters_need_no_optimizer_for_the_rest(
    tmp_path: Path, model: SentenceTransformer, loss: MultiQueryRankingLoss, collator: Collator
) -> None:
    features = collator(list(ROWS)[:4])
    plan = replace(FIRST, cached=True, microbatch_tokens=64)
    whole = need(model, loss, features, plan, False)
    adapted = tiny_model(tmp_path).train()
    disable_attention_dropout(adapted)
    adapted.prompts = model.prompts
    adapters.add(adapted, 1)
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    everything = sum(p.numel() for p in model.parameters())
    saved = whole - need(adapted, MultiQueryRankingLoss(adapted, 1.0, 64), features, plan, False)
    assert saved > 0.8 * 3 * 4 * (everything - trained)


def test_on_a_cpu_the_estimate_is_held_against_the_free_memory(
    model: SentenceTransformer, loss: MultiQueryRankingLoss, collator: Collator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batch(size: int) -> dict[str, Any]:
        return collator(list(ROWS)[:size])

    takes = [need(model, loss, batch(8), plan, False) for plan in LADDER[:2]]
    fits = memory.fits(model, loss, batch, False)
    chosen = []
    for free in (2 * takes[0], (takes[0] + takes[1]) // 2):
        monkeypatch.setattr(memory, "free_memory", partial(int, free))
        chosen.append(choose(FIRST, fits, lambda line: None))
    assert chosen[0] == FIRST
    assert chosen[1].cached
    memory.apply(model, loss, FIRST)
