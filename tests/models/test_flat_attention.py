"""Batches without padding give what padded ones give, with a plain loop in the place of torch's CUDA kernel."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn.attention import varlen
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from fieldtune.models import flat_attention
from fieldtune.models.tokens import FLAT, first_position, tokenize
from stages.train.batches import Collator, by_passage
from stages.train.loss import MultiQueryRankingLoss
from stages.train.trainer import disable_attention_dropout
from tests.tiny_model import WORDS, tiny_model
from tests.train.workspace import PROMPTS

TEXTS = [" ".join(WORDS[(7 * i + j) % 60] for j in range(length)) for i, length in enumerate([3, 1, 40, 12, 60])]
MODELS = ["bert-mean", "bert-cls", "xlmr-mean", "xlmr-cls", "xlmr-mean-without-prompt"]


def loop(
    query: Tensor, key: Tensor, value: Tensor, starts: Tensor, other: Tensor, longest: int, _: int, *, scale: float
) -> Tensor:
    """Attention of each text to itself; [tokens, heads, size]."""
    assert torch.equal(starts, other)
    ends = starts.tolist()
    assert longest == max(last - first for first, last in itertools.pairwise(ends))
    parts = []
    for first, last in itertools.pairwise(ends):
        q, k, v = (side[first:last].transpose(0, 1) for side in (query, key, value))
        parts.append(((q @ k.transpose(1, 2) * scale).softmax(dim=-1) @ v).transpose(0, 1))
    return torch.cat(parts)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> SentenceTransformer:
    architecture, pooling, *without_prompt = request.param.split("-")
    made = tiny_model(tmp_path, architecture=architecture, pooling=pooling)
    made.prompts = dict(PROMPTS)
    made.set_pooling_include_prompt(not without_prompt)
    disable_attention_dropout(made)
    return made.eval()


@pytest.fixture
def flat(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SentenceTransformer]:
    """The model as `enable` leaves it on a GPU."""
    monkeypatch.setattr(varlen, "varlen_attn", loop)
    AttentionInterface.register(FLAT, flat_attention.attention)
    AttentionMaskInterface.register(FLAT, sdpa_mask)
    yield model


def read_flat(model: SentenceTransformer, how: bool) -> None:
    assert model.transformers_model is not None
    model.transformers_model.config._attn_implementation = FLAT if how else "sdpa"


def encoded(model: SentenceTransformer) -> Tensor:
    features = tokenize(model, TEXTS, "document").batch([4, 2, 0, 1, 3])
    assert ("attention_mask" in features) == (first_position(model) is None)
    vectors = model(features)["sentence_embedding"]
    assert isinstance(vectors, Tensor)
    return vectors


def test_vectors_of_flat_batches_are_those_of_padded_ones(flat: SentenceTransformer) -> None:
    masks: list[Any] = []
    assert flat.transformers_model is not None
    for module in flat.transformers_model.modules():
        if type(module).__name__.endswith("SelfAttention"):
            module.register_forward_pre_hook(
                lambda _, args, kwargs: masks.append([*args[1:], kwargs.get("attention_mask")]), with_kwargs=True
            )
    padded = encoded(flat)
    masks.clear()
    read_flat(flat, True)
    torch.testing.assert_close(encoded(flat), padded, atol=1e-5, rtol=1e-5)
    # A mask of all tokens against all would fill the GPU.
    assert len(masks) == 2
    assert all(mask is None for layer_masks in masks for mask in layer_masks)


@pytest.mark.parametrize("cached", [False, True])
def test_flat_batches_give_the_same_gradients_in_microbatches(flat: SentenceTransformer, cached: bool) -> None:
    rows = by_passage(["word1", "word2 word3", "word4"], TEXTS[2:], [[]] * 3, {text: i for i, text in enumerate(TEXTS)})
    runs = []
    for how in (False, True):
        read_flat(flat, how)
        loss = MultiQueryRankingLoss(flat, 1.0, 70)
        loss.cached = cached
        features = Collator(flat, rows, 0)(list(rows))
        flat.zero_grad()
        value = loss(loss.sides(features), features["label"])
        value.backward()
        runs.append([value.detach(), *(p.grad.clone() for p in flat.parameters() if p.grad is not None)])
    assert len(runs[0]) == len(runs[1]) > 20
    for padded, other in zip(*runs, strict=True):
        torch.testing.assert_close(other, padded, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[4]], indirect=True)
def test_queries_and_passages_are_one_pass_where_prompts_are_treated_alike(
    flat: SentenceTransformer, request: pytest.FixtureRequest
) -> None:
    read_flat(flat, True)
    rows = by_passage(["word1", "word2 word3"], TEXTS[:2], [[]] * 2, {text: i for i, text in enumerate(TEXTS)})
    loss = MultiQueryRankingLoss(flat, 1.0, 70)
    features = Collator(flat, rows, 0)(list(rows))
    passes: list[int] = []
    flat.register_forward_pre_hook(lambda _, inputs: passes.append(len(inputs[0]["cu_seq_lens_q"]) - 1))
    loss(loss.sides(features), features["label"])
    assert passes == ([4] if "without" not in request.node.name else [2, 2])


@pytest.mark.parametrize("model", MODELS[:1], indirect=True)
def test_a_padded_batch_is_read_by_a_flat_model_as_before(flat: SentenceTransformer) -> None:
    """The library's own `encode` gives one."""
    expected = flat.encode(TEXTS, convert_to_tensor=True)
    read_flat(flat, True)
    torch.testing.assert_close(flat.encode(TEXTS, convert_to_tensor=True), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS[:1], indirect=True)
def test_a_cpu_reads_padded_batches(model: SentenceTransformer) -> None:
    assert flat_attention.enable(model) is False
    assert first_position(model) is None
