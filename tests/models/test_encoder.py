"""The encoder against the library's own encode_query and encode_document, on tiny random models."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.models import cached_encoder, encoder
from fieldtune.models.encoder import Kind, encode, load_base, load_folder, tokenize
from fieldtune.runtime.errors import UserError
from tests.tiny_model import DIMENSION, WORDS, tiny_model
from tests.train.workspace import PROMPTS, model_config

# Words that no vocabulary has are one token each, however long: the order by characters is not that by tokens.
LENGTHS = [1, 40, 3, 17, 90, 2, 61, 62, 63, 64, 5, 8, 30]
TEXTS = [
    " ".join(WORDS[(7 * i + j) % 60] if i % 2 else "unknown" * 9 for j in range(length))
    for i, length in enumerate(LENGTHS)
]
KINDS: tuple[Kind, ...] = ("query", "document")
Vectors = np.typing.NDArray[np.float32]


@pytest.fixture(scope="module", params=["bert-mean", "xlmr-cls", "bert-lasttoken", "xlmr-mean-without-prompt"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    architecture, pooling, *without_prompt = request.param.split("-")
    made = tiny_model(tmp_path_factory.mktemp("model"), architecture=architecture, pooling=pooling)
    made.prompts = dict(PROMPTS)
    made.set_pooling_include_prompt(not without_prompt)
    return made


only_bert = pytest.mark.parametrize("model", ["bert-mean"], indirect=True)


def by_library(model: SentenceTransformer, texts: list[str], kind: Kind) -> Vectors:
    encode_kind = model.encode_query if kind == "query" else model.encode_document
    vectors: Vectors = encode_kind(texts)
    return vectors


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_the_librarys_in_input_order_whatever_the_batch(
    model: SentenceTransformer, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_library(model, TEXTS, kind)
    for window, budget in ((2048, 1), (2048, 100), (2048, 10_000), (4, 100)):
        monkeypatch.setattr(encoder, "_WINDOW", window)
        monkeypatch.setattr(encoder, "_PASSAGE_TOKENS", budget)
        vectors = encode(model, TEXTS, kind, bf16=False, batch_size=1)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, expected, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    # Else the order of the rows would prove nothing.
    assert np.abs(expected - np.roll(expected, 1, axis=0)).max(axis=1).min() > 0.01


@only_bert
def test_the_prompts_tell_queries_from_passages(model: SentenceTransformer) -> None:
    query, document = (encode(model, TEXTS, kind, bf16=False, batch_size=8) for kind in KINDS)
    assert np.abs(query - document).max(axis=1).min() > 0.01


@only_bert
def test_bf16_is_close_to_fp32(model: SentenceTransformer) -> None:
    exact, rounded = (encode(model, TEXTS, "query", bf16=bf16, batch_size=8) for bf16 in (False, True))
    assert rounded.dtype == np.float32
    assert (exact != rounded).any()
    assert np.einsum("ij,ij->i", exact, rounded).min() > 0.999
    np.testing.assert_allclose(np.linalg.norm(rounded, axis=1), 1, atol=1e-6)


@only_bert
def test_no_texts_give_no_rows(model: SentenceTransformer) -> None:
    assert encode(model, [], "query", bf16=True, batch_size=8).shape == (0, DIMENSION)


@only_bert
def test_a_model_in_training_encodes_without_dropout_and_stays_in_training(model: SentenceTransformer) -> None:
    expected = encode(model, TEXTS, "query", bf16=False, batch_size=8)
    model.train()
    np.testing.assert_array_equal(encode(model, TEXTS, "query", bf16=False, batch_size=8), expected)
    assert all(module.training for module in model.modules())
    model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_the_librarys(model: SentenceTransformer, kind: Kind) -> None:
    seen: list[list[int]] = []
    watch = model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]["input_ids"][0].tolist()))
    for text in TEXTS:
        by_library(model, [text], kind)
    watch.remove()
    tokens = tokenize(model, TEXTS, kind)
    assert [ids.tolist() for ids in tokens.ids] == seen
    longest = tokens.ids[LENGTHS.index(90)].tolist()
    # <s> is 0, </s> is 2; the prompt and the special tokens count.
    assert (longest[0], longest[-1], len(longest), model.max_seq_length) == (0, 2, 64, 64)
    prompt = [4 + WORDS.index(word) for word in PROMPTS[kind].split()]
    assert longest[1 : 1 + len(prompt)] == prompt


@only_bert
def test_little_of_a_batch_is_padding(model: SentenceTransformer) -> None:
    drawn = random.Random(0)
    texts = [" ".join(drawn.choices(["word1", "unknown" * 9], k=1) * drawn.randint(1, 60)) for _ in range(400)]
    batches: list[torch.Tensor] = []
    watch = model[0].register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]["attention_mask"]))
    encode(model, texts, "query", bf16=False, batch_size=1)
    watch.remove()
    assert max(mask.numel() for mask in batches) <= 256
    # Lengths are rounded up to the next multiple of 8, which of short texts is more.
    assert sum(int(mask.sum()) for mask in batches) > 0.9 * sum(mask.numel() for mask in batches)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved base model, its weights in bf16, with a prompt and a length limit of its own."""
    made = tiny_model(tmp_path / "transformer").bfloat16()
    made.prompts = {"query": "another: ", "document": ""}
    made.max_seq_length = 20
    made.save(str(tmp_path / "base"), create_model_card=False)
    return tmp_path / "base"


def test_what_the_config_says_is_saved_with_the_model(folder: Path, tmp_path: Path) -> None:
    base = load_base(model_config(folder, max_tokens=30))
    encoder.save(base, tmp_path / "saved")
    saved = load_folder(tmp_path / "saved")
    for model in (base, saved, SentenceTransformer(str(tmp_path / "saved"))):
        assert (model.prompts, model.max_seq_length, model.similarity_fn_name) == (PROMPTS, 30, "cosine")
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    vectors = [encode(model, TEXTS, "query", bf16=False, batch_size=8) for model in (base, saved)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    files = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert "README.md" not in {path.name for path in files}
    assert not [path for path in files if str(tmp_path).encode() in path.read_bytes()]


@pytest.mark.parametrize("passage", ["document", "passage", "corpus"])
def test_what_the_config_does_not_say_is_the_folders_own(passage: str, folder: Path, tmp_path: Path) -> None:
    own = {"query": "Represent: ", passage: "D: "}
    files.write_json(folder / "config_sentence_transformers.json", {"prompts": own})
    base = load_base(model_config(folder, query_prompt=None, passage_prompt=None, max_tokens=None))
    encoder.save(base, tmp_path / "saved")
    for model in (base, load_folder(tmp_path / "saved")):
        assert (model.prompts["query"], model.prompts["document"], model.max_seq_length) == ("Represent: ", "D: ", 20)
    # What it does say is stronger, nothing too.
    model = load_base(model_config(folder, query_prompt=None, passage_prompt="", max_tokens=30))
    assert (model.prompts["query"], model.prompts["document"], model.max_seq_length) == ("Represent: ", "", 30)


def cut_short(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:50])


def static(folder: Path) -> None:
    words = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=4)], device="cpu").save(str(folder))


@pytest.mark.parametrize(
    ("spoil", "changes", "message"),
    [
        (lambda folder: (folder / "modules.json").rename(folder / "m"), {"path": "nowhere"}, "is not in nowhere"),
        (lambda folder: (folder / "model.safetensors").unlink(), {}, "does not load as an embedding model"),
        (cut_short("model.safetensors"), {}, "does not load as an embedding model"),
        (cut_short("tokenizer.json"), {}, "does not load as an embedding model"),
        (cut_short("config.json"), {}, "does not load as an embedding model"),
        (cut_short("1_Pooling/config.json"), {}, "does not load as an embedding model"),
        (static, {}, "is not a text transformer"),
        (lambda folder: None, {"dimension": 384}, "vectors of 32 numbers, .* says `dimension: 384`"),
        (lambda folder: None, {"max_tokens": 81}, "reads at most 80 tokens, .* says `max_tokens: 81`"),
    ],
)
def test_a_model_that_is_not_there_broken_or_another_is_said(
    spoil: Callable[[Path], object], changes: dict[str, Any], message: str, folder: Path
) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message):
        load_base(model_config(folder, **changes))


def test_an_xlm_roberta_reads_two_tokens_less_than_it_has_positions(tmp_path: Path) -> None:
    made = tiny_model(tmp_path / "transformer", architecture="xlmr")  # 80 positions, of which padding takes two
    made.save(str(tmp_path / "base"), create_model_card=False)
    base = load_base(model_config(tmp_path / "base", max_tokens=78, dimension=None))
    assert encode(base, [" ".join(WORDS * 2)], "query", bf16=False, batch_size=1).shape == (1, DIMENSION)
    with pytest.raises(UserError, match="reads at most 78 tokens"):
        load_base(model_config(tmp_path / "base", max_tokens=79))


def test_the_text_of_a_passage_begins_with_its_title() -> None:
    assert passage_text(json.loads('{"title": "EC2 Copy Image", "text": "Copies."}')) == ("EC2 Copy Image\nCopies.")


def test_apples_gpu_is_taken_if_torch_has_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name only: on a machine without one the model cannot go there, which torch says."""
    if torch.cuda.is_available():
        pytest.skip("a CUDA GPU comes first")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UserError, match=r"(?i)\bmps\b"):
        load_folder(folder)


def test_vectors_of_apples_gpu_are_kept_apart_from_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M4")
    assert cached_encoder._processor(torch.device("mps")) == ["mps", "Apple M4"]
    assert cached_encoder._processor(torch.device("cpu"))[0] == "cpu"
