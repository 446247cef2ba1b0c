"""A text's vector depends on the text alone: the same bits in any company, order and number of threads."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from fieldtune.models import encoder, precision
from fieldtune.models.encoder import encode
from fieldtune.models.fixed_shapes import Batch, FlatBatches, PaddedBatches, padded_length
from tests.tiny_model import WORDS, tiny_model

CPUINFO = Path("/proc/cpuinfo")
HAS_BF16 = CPUINFO.is_file() and precision.cpu_has_bf16(CPUINFO.read_text(encoding="utf-8", errors="replace"))
ARITHMETICS = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(not HAS_BF16, reason="the processor does not multiply in bf16")),
]
DRAWN = random.Random(0)
# Of every length up to the limit of 64 tokens and beyond, several of a shape, some that fill it to the last token.
TEXTS = [" ".join(DRAWN.choices(WORDS, k=count)) for count in (*range(1, 70), *range(5, 15), *range(55, 66))]


@pytest.mark.parametrize(
    ("tokens", "limit", "length"),
    [
        *[(0, 64, 1), (1, 64, 1), (16, 64, 16), (17, 64, 24), (23, 64, 24), (24, 64, 32), (63, 64, 64), (64, 64, 64)],
        *[(17, 20, 20), (20, 20, 20), (64, None, 72), (300, None, 304)],
    ],
)
def test_the_length_of_a_text_names_its_shape(tokens: int, limit: int | None, length: int) -> None:
    assert padded_length(tokens, limit) == length


def ids(count: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.arange(count, dtype=np.int32)


def shapes(waiting: PaddedBatches | FlatBatches, lengths: list[int]) -> list[Batch]:
    batches = [waiting.add(row, ids(length)) for row, length in enumerate(lengths)]
    return [*filter(None, batches), *waiting.rest()]


def test_batches_of_one_shape_have_as_many_rows_and_a_text_without_padding_is_of_another() -> None:
    batches = shapes(PaddedBatches(96, 32), [20, 21, 5, 32, 23, 22, 31, 20])
    assert [(batch.rows, batch.length, len(batch.ids)) for batch in batches] == [
        ([0, 1, 4, 5], 24, 4),
        ([2], 5, 19),
        ([7], 24, 4),
        ([6], 32, 3),  # 31 of 32 tokens
        ([3], 32, 3),  # 32 of 32: transformers leaves the mask out
    ]
    assert [len(row) for row in batches[2].ids] == [20] * 4


def test_flat_batches_all_have_as_many_tokens() -> None:
    batches = shapes(FlatBatches(50, 32, pad=1), [20, 21, 5, 32, 7])
    assert [batch.rows for batch in batches] == [[0, 1, 2], [3, 4]]
    assert {sum(map(len, batch.ids)) for batch in batches} == {50}
    assert batches[0].ids[-1].tolist() == [1] * 4
    assert max(len(row) for batch in shapes(FlatBatches(100, 32, pad=1), [1]) for row in batch.ids) == 32


@pytest.fixture(scope="module", params=["bert-mean", "xlmr-cls"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    architecture, pooling = request.param.split("-")
    made = tiny_model(tmp_path_factory.mktemp("model"), architecture=architecture, pooling=pooling)
    made.prompts = {"query": "", "document": ""}
    return made


@pytest.mark.parametrize("bf16", ARITHMETICS)
def test_a_text_has_the_same_bits_in_any_company(model: SentenceTransformer, bf16: bool) -> None:
    def encoded(texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return encode(model, texts, "document", bf16=bf16, batch_size=8)

    whole = encoded(TEXTS)
    order = random.Random(1).sample(range(len(TEXTS)), len(TEXTS))
    np.testing.assert_array_equal(encoded([TEXTS[row] for row in order]), whole[order])
    for row in (0, 10, 20, 40, 61, 62, 68, 85):
        np.testing.assert_array_equal(encoded([TEXTS[row]])[0], whole[row])
    before = torch.get_num_threads()
    torch.set_num_threads(3 - min(before, 2))  # 2 if it is 1, otherwise 1
    try:
        np.testing.assert_array_equal(encoded(TEXTS), whole)
    finally:
        torch.set_num_threads(before)


def test_without_fixed_shapes_it_has_not(model: SentenceTransformer) -> None:
    """Otherwise the test above would prove nothing: padded to the longest of any company, bits differ."""
    model.eval()
    rows = model.preprocess(TEXTS[:40], prompt="", task="document")
    with torch.inference_mode():
        whole = model(dict(rows))["sentence_embedding"]
        few = model(model.preprocess(TEXTS[:8], prompt="", task="document"))["sentence_embedding"]
    assert (whole[:8] != few).any()
    assert torch.allclose(whole[:8], few, atol=1e-5)


def test_on_a_cpu_a_batch_is_small_whatever_the_setting(model: SentenceTransformer) -> None:
    assert [encoder.batch_tokens(model, size) for size in (1, 4, 64)] == [256, 512, 512]
