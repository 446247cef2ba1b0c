"""A real transformer that is small enough to make, train and export inside a test."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

WORDS = [f"word{i}" for i in range(60)]
DIMENSION = 32


def tiny_model(
    folder: Path, words: Iterable[str] = WORDS, architecture: str = "bert", pooling: str = "mean", max_tokens: int = 64
) -> SentenceTransformer:
    """Random weights, the same each time, whose tokens are whole `words`, lower-cased; others are unknown.

    `architecture` is `bert` or `xlmr`; `pooling` is one of sentence-transformers' (`mean`, `cls`, `lasttoken`).
    `folder` takes the transformer's files; save the whole model where you want it.
    """
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {token: i for i, token in enumerate([*special, *dict.fromkeys(word.lower() for word in words)])}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    names = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokens, model_max_length=max_tokens, **names
    )
    tokenizer.save_pretrained(folder)
    sizes: dict[str, Any] = {
        "vocab_size": len(vocabulary),
        "hidden_size": DIMENSION,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": max_tokens + 16,
        "initializer_range": 0.5,  # the default's vectors are too alike to show a wrong graph
        "pad_token_id": 1,
    }
    torch.manual_seed(0)
    if architecture == "bert":
        BertModel(BertConfig(**sizes)).save_pretrained(folder)
    else:
        XLMRobertaModel(XLMRobertaConfig(**sizes, type_vocab_size=1)).save_pretrained(folder)
    transformer = Transformer(str(folder), model_kwargs={"dtype": torch.float32})
    return SentenceTransformer(modules=[transformer, Pooling(DIMENSION, pooling), Normalize()], device="cpu")
