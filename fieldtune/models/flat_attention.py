"""Attention over texts laid end to end, without padding, where torch has a kernel for it (CUDA, bf16).

A batch is then one row of all tokens: nothing is computed for padding, and no mask is read. sentence-transformers
does the same if the package flash-attn is installed; the kernel here comes with torch.
"""

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from fieldtune.models.tokens import FLAT, Tokens, first_position

_AGREES = 0.999  # cosine of one text's two vectors; bf16 alone leaves 0.9999


def attention(  # noqa: PLR0913, PLR0917  # transformers' AttentionInterface calls it so
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention over [1, heads, tokens, size]: flat if lengths are given, otherwise torch's usual one."""
    if cu_seq_lens_q is None or max_length_q is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    from torch.nn.attention.varlen import varlen_attn

    queries, keys, values = (side[0].transpose(0, 1) for side in (query, key, value))
    ends, longest = cu_seq_lens_q, max_length_q
    mixed = varlen_attn(queries, keys, values, ends, ends, longest, longest, scale=scaling)
    assert isinstance(mixed, Tensor)
    return mixed.unsqueeze(0), None


def enable(model: SentenceTransformer) -> bool:
    """Make the model read flat batches if that gives the same vectors; return whether it does. Only for bf16."""
    transformer = model.transformers_model
    if transformer is None or model.device.type != "cuda":
        return False
    if transformer.config._attn_implementation == FLAT:
        return True
    before = transformer.config._attn_implementation
    AttentionInterface.register(FLAT, attention)
    AttentionMaskInterface.register(FLAT, sdpa_mask)
    padded = _probe(model)
    transformer.config._attn_implementation = FLAT
    try:
        agrees = bool((torch.nn.functional.cosine_similarity(padded, _probe(model)) > _AGREES).all())
    except Exception:  # a model without positions, or with another form of attention: the class varies
        agrees = False
    if not agrees:
        transformer.config._attn_implementation = before
    return agrees


def _probe(model: SentenceTransformer) -> Tensor:
    """Vectors of three texts of made-up tokens: one token, some, and as many as the model reads."""
    longest = min(model.max_seq_length or 512, 2048)
    draw = torch.Generator().manual_seed(0)
    ids = [torch.randint(10, 100, (size,), generator=draw).int().numpy() for size in (longest, 7, 1)]
    features = Tokens(ids, 0, {"modality": "text"}, first_position(model)).batch(range(3))
    training = model.training
    model.eval()
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        vectors = model(batch_to_device(features, model.device))["sentence_embedding"].float()
    model.train(training)
    assert isinstance(vectors, Tensor)
    return vectors
