"""The rows of the training set, and the batches made of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from stages import encoder
from stages.encoder import Kind, Tokens
from stages.train.batches import Collator, Vectors, by_passage
from tests.tiny_model import WORDS, tiny_model
from tests.train.workspace import PROMPTS

CLUSTERS = {"word10 word11": 0, "word20": 1, "word30 word31": 2, "word40": 0, "word50": 3}
ROWS = by_passage(
    ["word1", "word2", "word3"],
    ["word10 word11", "word20", "word10 word11"],
    [["word30 word31", "word40"], ["word50", "word10 word11"], ["word40", "word50"]],
    CLUSTERS,
)


@pytest.fixture(params=["bert", "xlmr"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> SentenceTransformer:
    made = tiny_model(tmp_path, architecture=request.param)
    made.prompts = dict(PROMPTS)
    return made


only_bert = pytest.mark.parametrize("model", ["bert"], indirect=True)


def test_a_row_is_a_passage_with_all_its_queries() -> None:
    assert list(ROWS) == [
        {
            "anchor": ["word1", "word3"],
            "positive": "word10 word11",
            "negative": ["word30 word31", "word40", "word50"],
            "cluster": 0,
            "negative_cluster": [2, 0, 3],
        },
        {
            "anchor": ["word2"],
            "positive": "word20",
            "negative": ["word50", "word10 word11"],
            "cluster": 1,
            "negative_cluster": [3, 0],
        },
    ]


@only_bert
@pytest.mark.parametrize(
    ("negatives", "clusters"),
    [(0, [0, 1]), (1, [0, 1, 2, 3]), (2, [0, 1, 2, 0, 3])],  # the second row's second one is a passage of the batch
)
def test_a_batch_holds_each_passage_once(model: SentenceTransformer, negatives: int, clusters: list[int]) -> None:
    batch = Collator(model, ROWS, negatives, None)(list(ROWS))
    assert batch["label"].tolist() == [0, 0, 1]
    assert batch["positive_cluster"].tolist() == clusters
    assert batch["anchor_input_ids"].shape[0] == 3
    assert len({tuple(row) for row in batch["positive_input_ids"].tolist()}) == len(clusters)


@only_bert
def test_the_base_models_vectors_stand_beside_the_tokens(model: SentenceTransformer) -> None:
    queries = Vectors({"word2": 0, "word3": 1, "word1": 2}, np.array([[2, 0], [3, 0], [1, 0]], dtype=np.float32))
    passages = Vectors(
        {"word50": 0, "word10 word11": 1, "word30 word31": 2, "word20": 3},
        np.array([[0, 5], [0, 1], [0, 3], [0, 2]], dtype=np.float32),
    )
    batch = Collator(model, ROWS, 1, {"query": queries, "document": passages})(list(ROWS))
    assert batch["anchor_base"].tolist() == [[1, 0], [3, 0], [2, 0]]
    assert batch["positive_base"].tolist() == [[0, 1], [0, 2], [0, 3], [0, 5]]  # the two positives, then the hard ones


def test_a_batch_is_what_the_model_reads_when_it_encodes(model: SentenceTransformer) -> None:
    long = " ".join(WORDS * 2)
    rows = by_passage(["word1", long, "no such word"], ["word2", "word3 word4", long], [[], [], []], {
        "word2": 0, "word3 word4": 1, long: 2
    })  # fmt: skip
    batch = Collator(model, rows, 0, None)(list(rows))
    seen: dict[str, torch.Tensor] = {}
    watch = model[0].register_forward_pre_hook(lambda _, inputs: seen.update(inputs[0]))
    for side, texts, encode in (
        ("anchor", ["word1", long, "no such word"], model.encode_query),
        ("positive", rows["positive"], model.encode_document),
    ):
        for text, ids, mask in zip(texts, batch[f"{side}_input_ids"], batch[f"{side}_attention_mask"], strict=True):
            encode(text)
            assert ids[mask > 0].tolist() == seen["input_ids"][0].tolist()
            assert len(ids) == 64  # the longest text, with prompt and special tokens, is cut at the model's limit
            assert set(ids[mask == 0].tolist()) <= {model.tokenizer.pad_token_id}
    watch.remove()


@only_bert
def test_a_text_is_tokenized_once(model: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[tuple[Kind, str]] = []
    tokenize = encoder.tokenize

    def count(of: SentenceTransformer, new: list[str], kind: Kind) -> Tokens:
        texts.extend((kind, text) for text in new)
        return tokenize(of, new, kind)

    monkeypatch.setattr(encoder, "tokenize", count)
    collator = Collator(model, ROWS, 2, None)
    first, again = (collator(list(ROWS)) for _ in range(2))
    collator(list(ROWS)[1:])
    assert len(texts) == len(set(texts)) == 3 + 5
    torch.testing.assert_close(first["positive_input_ids"], again["positive_input_ids"])
    fresh = Collator(model, ROWS, 0, None)(list(ROWS)[1:])
    assert (
        fresh["positive_input_ids"].tolist()
        == Collator(model, ROWS, 0, None)(list(ROWS))["positive_input_ids"][1:, :4].tolist()
    )
