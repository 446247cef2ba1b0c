"""Texts as a model reads them, and the batches made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

FLAT = "fieldtune_flat"  # the attention of fieldtune/models/flat_attention.py, which reads batches without padding

Kind = Literal["query", "document"]


@dataclass(frozen=True)
class Tokens:
    """Texts after their prompt, cut at the model's length limit, including special tokens."""

    ids: list[npt.NDArray[np.int32]]
    pad: int
    # The model's modules also need the modality, and the prompt's length if pooling leaves it out.
    extra: dict[str, Any]
    first_position: int | None  # of a text, for a model that reads flat batches; None for one that reads padded ones

    def batch(self, rows: Sequence[int], length: int | None = None) -> dict[str, Any]:
        """The model's features for some of the texts; those that are padded are as long as the longest, or `length`."""
        lengths = torch.tensor([len(self.ids[row]) for row in rows])
        all_ids = torch.from_numpy(np.concatenate([self.ids[row] for row in rows])).long()
        if self.first_position is not None:
            return {**self._flat(lengths, all_ids), **self.extra}
        mask = (torch.arange(length or int(lengths.max())) < lengths.unsqueeze(1)).long()
        ids = torch.full(mask.shape, self.pad)
        ids[mask.bool()] = all_ids
        return {"input_ids": ids, "attention_mask": mask, **self.extra}

    def _flat(self, lengths: torch.Tensor, all_ids: torch.Tensor) -> dict[str, Any]:
        """All tokens as one row; the names are those of transformers' and sentence-transformers' flash attention."""
        ends = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
        text = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths.numpy()))
        positions = torch.arange(len(all_ids)) - ends[text] + (self.first_position or 0)
        return {
            "input_ids": all_ids.unsqueeze(0),
            "position_ids": positions.unsqueeze(0),
            "seq_idx": text.int().unsqueeze(0),
            "cu_seq_lens_q": ends.int(),
            "cu_seq_lens_k": ends.int(),
            "max_length_q": int(lengths.max()),
            "max_length_k": int(lengths.max()),
        }


_STARTS = ("cu_seq_lens_q", "cu_seq_lens_k")


def is_flat(*batches: dict[str, Any]) -> bool:
    """Tell if the batches are unpadded and can be joined: their texts' prompts are treated alike."""
    prompts = {int(batch.get("prompt_length", 0)) for batch in batches}
    return all(_STARTS[0] in batch for batch in batches) and len(prompts) == 1


def join(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One flat batch of two: the texts of the first, then those of the second."""
    both = dict(first)
    for name in ("input_ids", "position_ids"):
        both[name] = torch.cat([first[name], second[name]], dim=1)
    both["seq_idx"] = torch.cat([first["seq_idx"], second["seq_idx"] + len(first[_STARTS[0]]) - 1], dim=1)
    for name in _STARTS:
        both[name] = torch.cat([first[name], second[name][1:] + first["input_ids"].shape[1]])
    for name in ("max_length_q", "max_length_k"):
        both[name] = max(first[name], second[name])
    return both


def tokenize(model: SentenceTransformer, texts: Sequence[str], kind: Kind) -> Tokens:
    """The tokens that the library's `encode_query` or `encode_document` would give the model, of at least one text."""
    features: dict[str, Any] = model.preprocess(list(texts), prompt=model.prompts[kind], task=kind)
    ids, mask = features.pop("input_ids").numpy().astype(np.int32), features.pop("attention_mask").numpy() > 0
    names = ("modality",) if _prompts_are_pooled(model) else ("modality", "prompt_length")
    extra: dict[str, Any] = {name: features[name] for name in names if name in features}
    texts_ids = [row[kept] for row, kept in zip(ids, mask, strict=True)]
    return Tokens(texts_ids, model.tokenizer.pad_token_id or 0, extra, first_position(model))


def _prompts_are_pooled(model: SentenceTransformer) -> bool:
    return all(getattr(module, "include_prompt", True) for module in model)


def first_position(model: SentenceTransformer) -> int | None:
    """The position of a text's first token if the model reads flat batches; None if it reads padded ones."""
    transformer = model.transformers_model
    if transformer is None or transformer.config._attn_implementation != FLAT:
        return None
    for module in transformer.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, torch.nn.Embedding) and table.padding_idx is not None:
            return table.padding_idx + 1  # RoBERTa and its relatives
    return 0
