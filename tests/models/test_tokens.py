"""Batches by hand, padded and flat; what the tokens are is held to the library in test_encoder.py."""

from pathlib import Path

import numpy as np
import pytest

from fieldtune.models.tokens import FLAT, Tokens, first_position
from tests.tiny_model import tiny_model

IDS = [np.array(ids, dtype=np.int32) for ids in ([5, 6, 7], [8], [9, 10])]


def test_a_padded_batch_is_filled_up_to_its_longest() -> None:
    batch = Tokens(IDS, 1, {"modality": "text"}, None).batch([2, 0])
    assert batch["input_ids"].tolist() == [[9, 10, 1], [5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["modality"] == "text"
    assert Tokens(IDS, 1, {}, None).batch([1, 2])["input_ids"].tolist() == [[8, 1], [9, 10]]


@pytest.mark.parametrize("first", [0, 2])
def test_a_flat_batch_is_one_row_with_the_places_where_texts_end(first: int) -> None:
    batch = Tokens(IDS, 1, {"prompt_length": 3}, first).batch([0, 2, 1])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 9, 10, 8]]
    assert batch["position_ids"].tolist() == [[first, first + 1, first + 2, first, first + 1, first]]
    assert batch["seq_idx"].tolist() == [[0, 0, 0, 1, 1, 2]]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 3, 5, 6]
    assert batch["max_length_q"] == batch["max_length_k"] == 3
    assert {str(batch[name].dtype) for name in ("cu_seq_lens_q", "cu_seq_lens_k", "seq_idx")} == {"torch.int32"}
    assert {str(batch[name].dtype) for name in ("input_ids", "position_ids")} == {"torch.int64"}
    assert batch["prompt_length"] == 3
    assert "attention_mask" not in batch


@pytest.mark.parametrize(("architecture", "first"), [("bert", 0), ("xlmr", 2)])
def test_an_xlm_roberta_counts_positions_from_behind_the_paddings(
    architecture: str, first: int, tmp_path: Path
) -> None:
    model = tiny_model(tmp_path, architecture=architecture)
    assert first_position(model) is None
    assert model.transformers_model is not None
    model.transformers_model.config._attn_implementation = FLAT
    assert first_position(model) == first
