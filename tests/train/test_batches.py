"""The rows of the training set, and the batches made of them."""

from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.utils.data import SequentialSampler

from fieldtune.models import encoder
from fieldtune.models.encoder import Kind, Tokens
from stages.train.batches import Collator, Shares, by_passage
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


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        (6, 6, [[0, 2, 4], [1, 3, 5]]),
        (5, 3, [[0, 2], [1], [3], [4]]),
        (4, 3, [[0, 2], [1], [3], [3]]),  # both processes hold the last row
    ],
)
def test_each_process_has_its_part_of_every_batch(rows: int, size: int, expected: list[list[int]]) -> None:
    shares = Shares(SequentialSampler(range(rows)), size, 2)
    assert list(shares) == expected
    assert len(shares) == len(expected)


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
    # The positives are "word10 word11" and "word20"; texts of two words come first. The second row's second negative
    # is a passage of the batch.
    [(0, [0, 1]), (1, [0, 2, 1, 3]), (2, [0, 2, 1, 0, 3])],
)
def test_a_batch_holds_each_passage_once_longest_first(
    model: SentenceTransformer, negatives: int, clusters: list[int]
) -> None:
    batch = Collator(model, ROWS, negatives)(list(ROWS))
    assert batch["label"].tolist() == [0, 0, clusters.index(1)]
    assert batch["positive_cluster"].tolist() == clusters
    assert batch["anchor_input_ids"].shape[0] == 3
    assert len({tuple(row) for row in batch["positive_input_ids"].tolist()}) == len(clusters)
    assert len(set(batch["positive_text"].tolist())) == len(clusters)


@only_bert
def test_labels_follow_the_queries_and_passages_that_are_put_in_order(model: SentenceTransformer) -> None:
    texts = ["word10", "word20 word21 word22", "word30 word31"]
    rows = by_passage(
        ["word1", "word2 word3 word4", "word5 word6", "word7 word8"],
        [texts[0], texts[0], texts[1], texts[2]],
        [[]] * 4,
        {text: number for number, text in enumerate(texts)},
    )
    collator = Collator(model, rows, 0)
    batch = collator(list(rows))
    assert batch["positive_cluster"].tolist() == [1, 2, 0]
    # Of three words, of two, of two in the order of the rows, and of one.
    assert batch["label"].tolist() == [2, 0, 1, 2]
    assert batch["anchor_attention_mask"].sum(dim=1).tolist() == [7, 6, 6, 5]  # two words of prompt and two special
    assert batch["positive_attention_mask"].sum(dim=1).tolist() == [6, 5, 4]  # one word of prompt
    assert collator.size(rows[0]) == 4 + 5 + 7
    assert collator(list(rows)[2:])["positive_text"].tolist() == [batch["positive_text"][1].item()]


def test_a_batch_is_what_the_model_reads_when_it_encodes(model: SentenceTransformer) -> None:
    long = " ".join(WORDS * 2)
    rows = by_passage(["word1", long, "no such word"], ["word2", "word3 word4", long], [[], [], []], {
        "word2": 0, "word3 word4": 1, long: 2
    })  # fmt: skip
    batch = Collator(model, rows, 0)(list(rows))
    seen: dict[str, torch.Tensor] = {}
    watch = model[0].register_forward_pre_hook(lambda _, inputs: seen.update(inputs[0]))
    for side, texts, encode in (
        ("anchor", [long, "no such word", "word1"], model.encode_query),
        ("positive", [long, "word3 word4", "word2"], model.encode_document),
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

    def count(reader: SentenceTransformer, new: list[str], kind: Kind) -> Tokens:
        texts.extend((kind, text) for text in new)
        return tokenize(reader, new, kind)

    monkeypatch.setattr(encoder, "tokenize", count)
    collator = Collator(model, ROWS, 2)
    assert len(texts) == len(set(texts)) == 3 + 5
    first, again = (collator(list(ROWS)) for _ in range(2))
    collator(list(ROWS)[1:])
    assert len(texts) == 3 + 5
    torch.testing.assert_close(first["positive_input_ids"], again["positive_input_ids"])
