"""The stage as it runs, around a tiny model: what it writes, what it refuses, and that nothing private is in it."""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from huggingface_hub import ModelCard
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import quantize_embeddings
from transformers import AutoTokenizer

import stages.export.__main__ as export
from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text
from fieldtune.corpus.vectors import PASSAGES, write_vectors
from fieldtune.models import encoder, tuned_model
from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.export import model_folder, onnx_folder
from stages.export.onnx import OnnxEncoder
from stages.export.parity import parity
from tests.export import inputs
from tests.tiny_model import WORDS, tiny_model
from tests.vectors import read_rows, write_encoded

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parents[2]
Vectors = np.typing.NDArray[np.float32]
TEXTS = [" ".join(WORDS[(3 * i + j) % 60] for j in range(i + 1)) for i in range(20)]


@dataclass
class Done:
    """A run of the stage."""

    folder: Path  # the working directory
    stdout: str
    stderr: str

    @property
    def out(self) -> Path:
        return self.folder / paths.EXPORT


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DVC_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "stages.export"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("export")
    inputs.write(folder)
    process = start(folder)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stdout + stderr
    return Done(folder, stdout, stderr)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As the working directory of a run in this process, which reads the export here: `done` has it read afresh."""
    inputs.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_folder, "encode_afresh", encode_here)
    return tmp_path


def encode_here(folder: Path, queries: Sequence[str], passages: Sequence[str]) -> tuple[Vectors, Vectors]:
    model = SentenceTransformer(str(folder), device="cpu")
    return model.encode_query(list(queries)), model.encode_document(list(passages))


@contextmanager
def exported(folder: Path, *vectors: str) -> Iterator[None]:
    """Work in a folder with an export, without ONNX; `vectors`: settings of further kinds of vectors to turn on."""
    inputs.write(folder)
    inputs.configure(folder, "onnx: true", "onnx: false")
    for name in vectors:
        inputs.configure(folder, f"{name}: false", f"{name}: true")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(model_folder, "encode_afresh", encode_here)
        export.work()
        yield


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_hand(kind: str, texts: Sequence[str], folder: Path) -> Vectors:
    """Vectors by the model that was exported, the prompt put before each text."""
    model = SentenceTransformer(str(folder / paths.MODEL), device="cpu")
    vectors: Vectors = model.encode([f"{inputs.PROMPTS[kind]}{text}" for text in texts])
    return vectors


def test_one_line_is_all_that_is_said(done: Done) -> None:
    size = r"\d+(\.\d+)? kB"
    int8 = rf"int8 {size} \(cosine 0\.\d{{4}}, lowest 0\.\d{{4}}; NDCG@10 [+-]0\.\d{{4}} ± 0\.\d{{4}}\)"
    assert re.fullmatch(rf"✓ export  tuned model {size}, ONNX {size}, {int8}  \(\d+ s\)\n", done.stdout)
    assert done.stderr == ""


def test_the_model_loads_without_a_network_and_knows_its_prompts(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    model = SentenceTransformer(str(done.out / "model"))
    assert (model.max_seq_length, model.similarity_fn_name) == (64, "cosine")
    queries, passages = model.encode_query(TEXTS), model.encode_document(TEXTS)
    np.testing.assert_allclose(queries, by_hand("query", TEXTS, done.folder), atol=1e-6)
    np.testing.assert_allclose(passages, by_hand("document", TEXTS, done.folder), atol=1e-6)
    assert parity(queries, passages).mean < 0.99  # else the prompts would do nothing
    assert not [name for name in ("history.json", "real_evidence.parquet") if (done.out / "model" / name).exists()]


@pytest.mark.parametrize(("name", "cosine"), [("model.onnx", 0.99999), ("model_quantized.onnx", 0.95)])
def test_the_onnx_folder_needs_nothing_else(done: Done, name: str, cosine: float) -> None:
    folder = done.out / "onnx"
    prompts = files.read_json(folder / "config_sentence_transformers.json")["prompts"]
    encoder = OnnxEncoder(folder / name, AutoTokenizer.from_pretrained(folder))
    vectors = encoder.encode([prompts["document"] + text for text in TEXTS], batch_size=4)
    assert parity(by_hand("document", TEXTS, done.folder), vectors).min >= cosine


def test_the_corpus_is_there_row_by_row_without_its_texts(done: Done) -> None:
    table = pq.read_table(done.out / "vectors/passages.parquet")
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[32]"
    passages = list(files.read_jsonl(done.folder / paths.PASSAGES))
    assert table.column_names == ["id", "text_sha256", "vector"]
    assert table["id"].to_pylist() == [row["id"] for row in passages]
    seen = [f"{row['title']}\n{row['text']}".encode() for row in passages]
    assert table["text_sha256"].to_pylist() == [hashlib.sha256(text).hexdigest() for text in seen]
    tuned = read_rows(done.folder, paths.TUNED_VECTORS, "passages")
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), dtype=np.float32), tuned)


def test_no_word_of_the_documents_or_queries_is_in_any_file(done: Done) -> None:
    for name, content in contents(done.out).items():
        if name.startswith("search/bm25/"):
            continue  # an index has the words that it finds
        assert [word for word in inputs.SECRETS if word.encode() in content] == [], name
    assert "zyxpassage" in (done.folder / paths.PASSAGES).read_text(encoding="utf-8")


def test_the_manifest_lists_every_file_as_it_is(done: Done) -> None:
    listed = json.loads((done.out / "manifest.json").read_text(encoding="utf-8"))
    there = contents(done.out)
    del there["manifest.json"]
    assert listed == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in there.items()
    }
    assert list(listed) == sorted(listed)
    assert {"model/README.md", "onnx/model_quantized.onnx", "vectors/passages.parquet", "parity.json"} <= set(listed)


def test_the_card_is_one_that_the_hub_reads(done: Done) -> None:
    card = ModelCard.load(done.out / "model/README.md")
    assert (card.data.license, card.data.base_model) == ("mit", "someone/tiny")
    assert (card.data.library_name, card.data.pipeline_tag) == ("sentence-transformers", "sentence-similarity")
    assert "sentence-transformers" in (card.data.tags or [])
    assert not re.search(r"\b20\d\d\b", card.text)  # a date would make every run another output


def test_parity_is_what_the_files_give(done: Done) -> None:
    report = json.loads((done.out / "parity.json").read_text(encoding="utf-8"))
    assert report["texts"] == 8
    assert report["vectors/passages.parquet"]["cosine"]["min"] >= 0.99999
    assert report["onnx/model.onnx"]["cosine"]["min"] >= 0.99999
    int8 = report["onnx/model_quantized.onnx"]
    assert 0.95 <= int8["cosine"]["min"] < int8["cosine"]["mean"] < 0.99999
    loss = int8["ndcg@10"]
    assert (loss["query_set"], loss["queries"], loss["passages"], loss["before"]) == ("real", 50, inputs.PASSAGES, 1.0)
    assert loss["lost"] == pytest.approx(1 - loss["after"], abs=1e-6)


def test_another_place_and_process_give_the_same_bytes(done: Done, workspace: Path) -> None:
    export.work()
    assert contents(workspace / paths.EXPORT) == contents(done.out)


def test_int8_that_loses_too_much_is_left_out_and_said(
    done: Done, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_int8(fp32: Path, path: Path, keep: Collection[str] = ()) -> None:
        shutil.copyfile(done.out / "onnx/model_quantized.onnx", path)

    # As if nothing that is kept in float32 helped.
    monkeypatch.setattr(onnx_folder, "write_int8", write_int8)
    monkeypatch.setattr(onnx_folder, "by_harm", lambda *_: [["first"], ["second"], ["third"], ["fourth"]])
    inputs.configure(workspace, "max_loss: 1.0", "max_loss: 0.0")
    summary = export.work()
    int8 = files.read_json(paths.EXPORT / "parity.json")["onnx/model_quantized.onnx"]
    lost = int8["ndcg@10"]["lost"]
    assert lost > 0
    assert (int8["exported"], int8["kept_in_float32"]) == (False, ["first", "second"])
    assert f"no int8: NDCG@10 {-lost:+.4f}" in summary
    assert summary.endswith("more than `export.max_loss` allows (0.0), even with 2 of 4 layers in float32")
    assert (paths.EXPORT / "onnx/model.onnx").is_file()
    assert not (paths.EXPORT / "onnx/model_quantized.onnx").exists()
    assert "onnx/model_quantized.onnx" not in files.read_json(paths.EXPORT / "manifest.json")


def test_int8_and_binary_vectors_are_those_that_users_make_of_a_query(workspace: Path) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    inputs.configure(workspace, "int8_vectors: false", "int8_vectors: true")
    inputs.configure(workspace, "binary_vectors: false", "binary_vectors: true")
    export.work()
    table = pq.read_table(paths.EXPORT / "vectors/passages.parquet")
    assert table.column_names == ["id", "text_sha256", "vector", "vector_int8", "vector_binary"]
    vectors, int8, binary = (np.stack(table[name].to_numpy()) for name in table.column_names[2:])
    assert [(str(column.dtype), column.shape) for column in (int8, binary)] == [("int8", (40, 32)), ("uint8", (40, 4))]
    # One range for all dimensions: the numbers in 255 steps from -greatest to greatest.
    greatest = np.abs(vectors).max()
    ranges = np.load(paths.EXPORT / "vectors/int8_ranges.npy")
    np.testing.assert_array_equal(ranges, np.array([[-greatest] * 32, [greatest] * 32]))
    assert np.abs((int8 + 128.5) * greatest * 2 / 255 - greatest - vectors).max() <= greatest / 255 * 1.001
    np.testing.assert_array_equal(np.unpackbits(binary, axis=1), vectors > 0)
    np.testing.assert_array_equal(quantize_embeddings(vectors, "int8", ranges=ranges), int8)
    np.testing.assert_array_equal(quantize_embeddings(vectors, "ubinary"), binary)
    written = contents(paths.EXPORT)
    export.work()
    assert contents(paths.EXPORT) == written
    assert "vectors/int8_ranges.npy" in files.read_json(paths.EXPORT / "manifest.json")


def test_examples_are_in_the_card_where_they_are_asked_for(workspace: Path) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    inputs.configure(workspace, "card_examples: false", "card_examples: true")
    export.work()
    card = (paths.EXPORT / "model/README.md").read_text(encoding="utf-8")
    rows = [line for line in card.splitlines() if "zyx" in line]
    # The answer of each query is the passage nearest to it: the part whose number is in its title.
    assert len(rows) == 5
    for row in rows:
        query, title, begins, answers = (cell.strip() for cell in row.strip("|").split("|"))
        (passage,) = [passage for passage in files.read_jsonl(paths.PASSAGES) if passage["title"] == title]
        (real,) = [row for row in files.read_jsonl(paths.REAL) if row["query"] == query]
        assert real["sections"] == [f"doc.md#{passage['section']}"]
        assert passage["text"].startswith(begins.removesuffix(" …"))
        assert answers == "yes"
    assert "zyxgenerated" not in card  # real queries are the first set


def test_the_card_of_a_pinned_model_has_its_own_prompts_and_limit(workspace: Path) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    inputs.configure(workspace, f"query_prompt: '{inputs.PROMPTS['query']}'", "query_prompt: 'of the base: '")
    inputs.configure(workspace, "max_tokens: 64", "max_tokens: 32")
    pinned = {"passages": inputs.PASSAGES, "new": None, "stale": False}
    files.write_json(paths.MODEL / tuned_model.HISTORY, {"loss": [], "dev": [], "pinned": pinned})
    export.work()
    card = (paths.EXPORT / "model/README.md").read_text(encoding="utf-8")
    assert '| query | `"word1 word2 "` |' in card
    assert "cut at 64 tokens" in card
    assert "tuned earlier" in card


def test_the_layer_that_hurts_is_kept_in_float32_and_said(workspace: Path) -> None:
    inputs.write(workspace, spoiled=True)
    inputs.configure(workspace, "max_loss: 1.0", "max_loss: 0.1")
    summary = export.work()
    assert summary.endswith(", with encoder.layer.1.output.dense in float32")
    int8 = files.read_json(paths.EXPORT / "parity.json")["onnx/model_quantized.onnx"]
    assert (int8["exported"], int8["kept_in_float32"]) == (True, ["encoder.layer.1.output.dense"])
    assert int8["ndcg@10"]["lost"] <= 0.1
    assert (paths.EXPORT / "onnx/model_quantized.onnx").is_file()


def test_without_onnx_the_rest_is_there(workspace: Path) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    assert "ONNX" not in export.work()
    there = ["manifest.json", "model", "parity.json", "search", "vectors"]
    assert sorted(path.name for path in paths.EXPORT.iterdir()) == there


def test_the_search_folder_is_what_was_evaluated(done: Done) -> None:
    settings = json.loads((done.out / "search/search.json").read_text(encoding="utf-8"))
    assert settings["recommended"] == "tuned"
    assert settings["systems"]["tuned_hybrid"] == {"model_share": 0.7, "heading_share": 0.1}
    passages = list(files.read_jsonl(done.folder / paths.PASSAGES))
    table = pq.read_table(done.out / "search/passages.parquet")
    assert table.column_names == ["id", "source", "section"]
    assert table["section"].to_pylist() == [f"doc.md#{row['section']}" for row in passages]
    assert (done.out / "search/bm25/whole/vocab.index.json").is_file()


def test_texts_are_exported_if_they_are_asked_for(workspace: Path) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    inputs.configure(workspace, "texts: false", "texts: true")
    export.work()
    table = pq.read_table(paths.EXPORT / "search/passages.parquet")
    assert table["text"].to_pylist() == [row["text"] for row in files.read_jsonl(paths.PASSAGES)]


@pytest.mark.parametrize(
    ("verdict", "recommend", "model"),
    [
        ("ship", "tuned", "tuned"),
        ("marginal", "bm25", "tuned"),
        ("ship", "tuned_hybrid", "tuned"),
        ("keep_base", "bm25", "base"),
        ("keep_base", "base", "base"),
        ("marginal", "hybrid", "base"),
    ],
)
def test_the_exported_model_is_that_of_the_recommended_system(
    verdict: str, recommend: str, model: str, tmp_path: Path
) -> None:
    files.write_text(tmp_path / "config.json", "{}")
    metrics = {"verdict": verdict, "recommend": recommend, "similarity_to_base": 0.9}
    config = ModelConfig("a/b", None, str(tmp_path), None, None, None, None, "mit", "en")
    chosen = export.choose_model(metrics, config)
    assert (chosen.name, chosen.vectors) == (model, paths.VECTORS if model == "base" else paths.TUNED_VECTORS)
    assert (export.not_to_deploy(metrics) is None) == (model == "tuned")
    unchanged = export.choose_model({**metrics, "similarity_to_base": 1.0}, config)
    assert (unchanged.name, unchanged.vectors) == (model, paths.TUNED_VECTORS)


def test_the_base_model_is_exported_if_it_is_to_be_kept(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs.configure(workspace, "onnx: true", "onnx: false")
    base = tiny_model(workspace / "base", architecture="xlmr")
    base.prompts = dict(inputs.PROMPTS)
    encoder.save(base, workspace / "base_model")
    inputs.configure(workspace, "path: null", "path: base_model")
    passages = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    queries = [row["query"] for path in (paths.QUERIES, paths.REAL) for row in files.read_jsonl(path)]
    write_encoded(encoder.load_folder(workspace / "base_model"), paths.VECTORS, passages, queries)
    files.write_json(paths.METRICS, {**inputs.metrics(), "verdict": "keep_base", "recommend": "hybrid"})
    assert export.work().startswith("base model")
    assert "The verdict is keep_base, and the export is the base model" in capsys.readouterr().out
    settings = files.read_json(paths.EXPORT / "search/search.json")
    assert settings["recommended"] == "hybrid"
    assert settings["systems"]["hybrid"] == {"model_share": 0.4, "heading_share": 0.1}
    exported = SentenceTransformer(str(paths.EXPORT / "model"), device="cpu")
    np.testing.assert_allclose(
        exported.encode_document(TEXTS),
        base.encode([f"{inputs.PROMPTS['document']}{text}" for text in TEXTS]),
        atol=1e-5,
    )
    card = (paths.EXPORT / "model/README.md").read_text(encoding="utf-8")
    assert "was measured, and is not what is recommended" in card
    assert "| hybrid of this model and BM25 |" in card


def test_vectors_of_another_model_are_refused(workspace: Path) -> None:
    rolled = np.roll(read_rows(Path(), paths.TUNED_VECTORS, "passages"), 1, axis=0)
    texts = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    write_vectors(paths.TUNED_VECTORS, PASSAGES, texts, rolled)
    with pytest.raises(UserError, match=r"data/tuned_vectors was not made by data/model: run `dvc repro`"):
        export.work()
    assert not paths.EXPORT.exists()


def test_a_folder_that_others_read_otherwise_is_refused(workspace: Path) -> None:
    inputs.write(workspace, dtype=torch.bfloat16)  # read in float32 here, and as it is saved by everyone else
    with pytest.raises(UserError, match="the exported model's vectors differ from those of the loaded model"):
        export.work()
    assert not paths.EXPORT.exists()


def test_killed_half_way_leaves_no_export(workspace: Path) -> None:
    process = start(workspace)
    begun = workspace / "data/.export.tmp/model/README.md"
    while not begun.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (workspace / paths.EXPORT).exists()
