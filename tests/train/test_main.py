"""The stage as DVC runs it, on a tiny model: what it says, what it leaves, and what a kill leaves."""

import json
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from sentence_transformers import SentenceTransformer

from stages import files, paths
from stages.text import passage_text
from stages.train.__main__ import base_vectors
from tests.train import workspace

LEFT = [
    "1_Pooling/config.json",
    "2_Normalize/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "history.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
]


@dataclass
class Done:
    """A run of the stage."""

    folder: Path  # the working directory
    said: str

    @property
    def model(self) -> Path:
        return self.folder / paths.MODEL

    @property
    def history(self) -> dict[str, list[dict[str, float]]]:
        history: dict[str, list[dict[str, float]]] = files.read_json(self.folder / paths.MODEL_HISTORY)
        return history


def run(folder: Path, **changes: Any) -> Done:
    workspace.configure(folder, workspace.train_config(**changes))
    status, said = workspace.run("train", folder)
    assert status == 0, said
    return Done(folder, re.sub(r"\(\d+ s\)", "(… s)", said))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("train")
    workspace.write(folder)
    return run(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    workspace.write(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tensors(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict


def test_one_line_is_all_that_is_said_and_it_is_what_was_measured(done: Done) -> None:
    dev = {row["dev_step"]: row["dev_ndcg@10"] for row in done.history["dev"]}
    assert list(dev) == [0, 40, 80, 120]
    step = max(dev, key=lambda step: dev[step])
    assert dev[step] > dev[0] + 0.05
    best = f"dev NDCG@10 {dev[0]:.3f} → {dev[step]:.3f} at step {step}"
    assert done.said == f"✓ train  120 steps in fp32; {best}  (… s)\n"


def test_the_loss_falls(done: Done) -> None:
    losses = done.history["loss"]
    assert [row["step"] for row in losses] == list(range(2, 121, 2))
    assert np.mean([row["loss"] for row in losses[-10:]]) < 0.8 * np.mean([row["loss"] for row in losses[:10]])


def test_the_folder_holds_the_model_and_no_more(done: Done) -> None:
    found = contents(done.model)
    assert sorted(found) == LEFT
    for word in (*workspace.SECRETS, str(done.folder)):
        assert not [name for name, content in found.items() if word.encode() in content]
    assert not [path for path in (done.folder / "data").iterdir() if path.name.startswith(".")]
    assert list((done.folder / ".fieldtune/checkpoints").iterdir()) == []


def test_the_model_that_is_saved_is_the_one_that_was_measured(done: Done) -> None:
    """NDCG@10 of one answer at rank r is 1 / log2(r + 1); the part of the corpus is taken as the stage takes it."""
    model = SentenceTransformer(str(done.model))
    assert (model.prompts, model.max_seq_length) == (workspace.PROMPTS, 64)
    assert model.similarity_fn_name == "cosine"
    texts = [passage_text(row) for row in files.read_jsonl(done.folder / paths.PASSAGES)]
    queries = [row["query"] for row in files.read_jsonl(done.folder / paths.QUERIES)][::3]
    scores = model.encode_query(queries) @ model.encode_document(texts).T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1) + 1
    ndcg = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).mean()
    assert ndcg == pytest.approx(max(row["dev_ndcg@10"] for row in done.history["dev"]), abs=1e-6)


def test_its_config_is_the_bases_and_its_weights_are_fp32(done: Done) -> None:
    both = (done.folder / "own/model", done.model)
    base, tuned = (files.read_json(folder / "config.json") for folder in both)
    assert tuned == base
    before, after = (tensors(folder / "model.safetensors") for folder in both)
    assert {name: value.shape for name, value in after.items()} == {name: v.shape for name, v in before.items()}
    assert {value.dtype for value in after.values()} == {np.dtype(np.float32)}
    assert any((before[name] != after[name]).any() for name in before)


def test_the_same_again_elsewhere_is_the_same_to_the_byte(done: Done, folder: Path) -> None:
    again = run(folder)
    assert again.said == done.said
    assert contents(again.model) == contents(done.model)


def test_base_vectors_are_found_by_the_ids_of_generated_and_real_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_vectors(paths.VECTORS / "queries.safetensors", np.array([[0], [1], [2]], dtype=np.float32))
    files.write_vectors(paths.VECTORS / "real.safetensors", np.array([[10], [11]], dtype=np.float32))
    files.write_table(paths.DATASET / "train_ids.parquet", {"query_id": ["q000002", "r000001", "q000000"]})
    passages = np.array([[20], [21], [21]], dtype=np.float32)
    found = base_vectors(["two", "eleven", "nought"], ["twenty", "copy", "copy"], passages)
    assert found["query"].of(["nought", "two", "eleven", "two"]).tolist() == [[0], [2], [11], [2]]
    assert found["document"].of(["copy", "twenty"]).tolist() == [[21], [20]]


def test_masking_leaves_out_what_the_base_model_finds_alike(folder: Path) -> None:
    """To the base model all passages are one: nothing is left to learn from."""
    path = folder / paths.VECTORS / "passages.safetensors"
    same = np.repeat(files.read_vectors(path)[:1], workspace.PASSAGES, axis=0)
    files.write_vectors(path, same)
    losses = [row["loss"] for row in run(folder, epochs=1, mask_margin=0.9).history["loss"]]
    assert losses == [0.0]


def test_nothing_better_than_the_base_keeps_the_base(folder: Path) -> None:
    done = run(folder, learning_rate=1e-8, epochs=1)
    base = done.history["dev"][0]["dev_ndcg@10"]
    assert done.said == (
        f"  no checkpoint beats the base model on dev (NDCG@10 {base:.3f}): the base model is kept\n"
        f"✓ train  1 steps in fp32; dev NDCG@10 {base:.3f} → {base:.3f} at step 0  (… s)\n"
    )
    kept, before = (tensors(path / "model.safetensors") for path in (done.model, folder / "own/model"))
    for name, value in before.items():
        np.testing.assert_array_equal(kept[name], value)
    assert SentenceTransformer(str(done.model)).prompts == workspace.PROMPTS
    assert sorted(contents(done.model)) == LEFT


def test_the_other_ways_to_train_are_as_quiet(folder: Path) -> None:
    others = {"precision": "bf16", "gradient_checkpointing": True, "negatives": 1, "microbatch_tokens": 64}
    done = run(folder, epochs=30, evaluations=1, **others)
    kept = r"  no checkpoint beats the base model on dev \(NDCG@10 0\.\d{3}\): the base model is kept\n"
    measured = r"dev NDCG@10 0\.\d{3} → 0\.\d{3} at step (0|30)"
    assert re.fullmatch(rf"({kept})?✓ train  30 steps in bf16; {measured}  \(… s\)\n", done.said)
    assert {value.dtype for value in tensors(done.model / "model.safetensors").values()} == {np.dtype(np.float32)}


def test_a_kill_leaves_no_model_and_the_next_run_is_undisturbed(done: Done, folder: Path) -> None:
    workspace.configure(folder, workspace.train_config())
    process = workspace.start("train", folder)
    deadline = time.monotonic() + 120
    while not list(folder.glob(".fieldtune/checkpoints/*/checkpoint-*/model.safetensors")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / paths.MODEL).exists()
    assert list(folder.glob(".fieldtune/checkpoints/*/*"))
    again = run(folder)
    assert contents(again.model) == contents(done.model)
    assert list((folder / ".fieldtune/checkpoints").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "nowhere"}, "the base model, someone/tiny, is not in nowhere"),
        ({"dimension": 384}, "someone/tiny gives vectors of 32 numbers"),
    ],
)
def test_a_wrong_model_is_an_error_before_any_work(changes: dict[str, Any], message: str, folder: Path) -> None:
    workspace.configure(folder, workspace.train_config(model=workspace.model_config(**changes)))
    status, said = workspace.run("train", folder)
    assert status == 1
    assert said.startswith(f"✗ train  {message}")
    assert "Traceback" not in said
    assert not (folder / paths.MODEL).exists()


def test_dvc_draws_both_curves_of_two_commits(done: Done, tmp_path: Path) -> None:
    def call(*command: str) -> str:
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    plots = (workspace.ROOT / "dvc.yaml").read_text().partition("\nplots:")[2]
    assert plots
    (tmp_path / "dvc.yaml").write_text("plots:" + plots)
    call("git", "init", "--quiet")
    call("dvc", "init", "--quiet")
    histories = [done.history, {name: rows[:-1] for name, rows in done.history.items()}]
    for number, history in enumerate(histories):
        files.write_json(tmp_path / paths.MODEL_HISTORY, history)
        call("git", "add", ".")
        call("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", str(number))
    drawn = json.loads(call("dvc", "plots", "diff", "HEAD~1", "HEAD", "--json"))["data"]
    for title, name, x, y in (
        ("training loss", "loss", "step", "loss"),
        ("dev NDCG@10", "dev", "dev_step", "dev_ndcg@10"),
    ):
        (plot,) = drawn[title]
        spec = plot["content"] if isinstance(plot["content"], dict) else json.loads(plot["content"])
        assert spec["encoding"]["x"]["field"] == x
        for revision, history in zip(("HEAD~1", "HEAD"), histories, strict=True):
            points = [(row[x], row[y]) for row in spec["data"]["values"] if row["rev"] == revision and y in row]
            assert points == [(row[x], row[y]) for row in history[name]]
