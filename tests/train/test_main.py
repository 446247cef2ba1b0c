"""The stage as DVC runs it, on a tiny model: what it says, what it leaves, and what a kill leaves."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text, section_id
from fieldtune.corpus.vectors import PASSAGES, write_vectors
from fieldtune.models import base_models, tuned_model
from fieldtune.retrieval.judged_queries import real_id, row_of
from fieldtune.runtime import paths, stage
from stages.train import trainer, tuning
from stages.train.__main__ import work
from stages.train.trainer import Outcome, Round
from tests.train import workspace
from tests.vectors import read_rows

pytestmark = pytest.mark.pipeline

LEFT = [
    "1_Pooling/config.json",
    "2_Normalize/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "history.json",
    "known_passages.txt",
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
    output: str

    @property
    def model(self) -> Path:
        return self.folder / paths.MODEL

    @property
    def history(self) -> dict[str, Any]:
        history: dict[str, Any] = files.read_json(self.folder / paths.MODEL / tuned_model.HISTORY)
        return history

    @property
    def dev(self) -> list[float]:
        return [row["dev_ndcg@10"] for row in self.history["dev"]]


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The stage as DVC starts it, in a process of its own."""
    folder = tmp_path_factory.mktemp("train")
    workspace.write(folder)
    workspace.configure(folder, workspace.train_config())
    status, output = workspace.run("train", folder)
    assert status == 0, output
    return Done(folder, re.sub(r"\(\d+ s\)", "(… s)", output))


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The stage in this process: to load the libraries takes longer than to train."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("fieldtune.runtime.console.console.width", 200)

    def trained(**changes: Any) -> Done:
        workspace.configure(folder, workspace.train_config(**changes))
        capsys.readouterr()
        stage.run_stage("train", work)
        return Done(folder, re.sub(r"\(\d+ s\)", "(… s)", capsys.readouterr().out))

    return trained


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
    assert done.history["chosen"] == {"step": step, "share": 1.0, "by": "dev", "doubt": None}
    best = f"dev NDCG@10 {dev[0]:.3f} → {dev[step]:.3f}: step {step}"
    assert done.output == f"✓ train  120 steps in fp32; {best}  (… s)\n"


def test_the_loss_falls(done: Done) -> None:
    losses = done.history["loss"]
    assert [row["step"] for row in losses] == list(range(2, 121, 2))
    assert np.mean([row["loss"] for row in losses[-10:]]) < 0.8 * np.mean([row["loss"] for row in losses[:10]])


def test_the_folder_holds_the_model_and_no_more(done: Done) -> None:
    left = contents(done.model)
    assert sorted(left) == LEFT
    for word in (*workspace.SECRETS, str(done.folder)):
        assert not [name for name, content in left.items() if word.encode() in content]
    assert not [path for path in (done.folder / "data").iterdir() if path.name.startswith(".")]
    assert list((done.folder / ".fieldtune/checkpoints").iterdir()) == []


def test_the_model_that_is_saved_is_the_one_that_was_measured(done: Done) -> None:
    model = SentenceTransformer(str(done.model))
    assert (model.prompts, model.max_seq_length) == (workspace.PROMPTS, 64)
    assert model.similarity_fn_name == "cosine"
    assert dev_of(done) == pytest.approx(max(done.dev), abs=1e-6)


def dev_of(done: Done) -> float:
    """NDCG@10 of the model that was saved: of one answer at rank r it is 1 / log2(r + 1)."""
    model = SentenceTransformer(str(done.model))
    texts = [passage_text(row) for row in files.read_jsonl(done.folder / paths.PASSAGES)]
    queries = [row["query"] for row in files.read_jsonl(done.folder / paths.QUERIES)][::3]
    scores = model.encode_query(queries) @ model.encode_document(texts).T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1) + 1
    return float(np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).mean())


def test_its_config_is_the_bases_and_its_weights_are_fp32(done: Done) -> None:
    both = (done.folder / "own/model", done.model)
    base, tuned = (files.read_json(folder / "config.json") for folder in both)
    assert tuned == base
    before, after = (tensors(folder / "model.safetensors") for folder in both)
    assert {name: value.shape for name, value in after.items()} == {name: v.shape for name, v in before.items()}
    assert {value.dtype for value in after.values()} == {np.dtype(np.float32)}
    assert any((before[name] != after[name]).any() for name in before)


def test_nothing_better_than_the_base_keeps_the_base(folder: Path, run: Run) -> None:
    done = run(learning_rate=1e-8, epochs=1)
    base = done.history["dev"][0]["dev_ndcg@10"]
    assert done.output == (
        "  the vectors are nearly the base model's (mean cosine 1.0000): the training had no effect; raise "
        "`train.learning_rate` or `train.epochs`, and check whether the pairs in data/dataset/ teach anything new\n"
        f"✓ train  1 steps in fp32; dev NDCG@10 {base:.3f} → {base:.3f}: the base model is kept  (… s)\n"
    )
    assert done.history["chosen"] == {"step": 1, "share": 0.0, "by": "dev", "doubt": None}
    kept, before = (tensors(path / "model.safetensors") for path in (done.model, folder / "own/model"))
    for name, value in before.items():
        np.testing.assert_array_equal(kept[name], value)
    assert SentenceTransformer(str(done.model)).prompts == workspace.PROMPTS
    assert sorted(contents(done.model)) == LEFT


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bf16", "gradient_checkpointing": True, "negatives": 1, "max_grad_norm": 0.0},
        {"matryoshka": [8, 16], "symmetric": True, "gradient_cache": True},
    ],
)
def test_the_other_ways_to_train_are_as_quiet_and_learn(changes: dict[str, Any], run: Run) -> None:
    done = run(epochs=8, evaluations=1, **changes)
    arithmetic = changes.get("precision", "fp32")
    # So short a run may be worse than random weights, which is said; nothing else is.
    assert re.fullmatch(
        r"(  (all passages have|the loss fell).*\n)*"
        rf"✓ train  8 steps in {arithmetic}; dev NDCG@10 0\.\d{{3}} → 0\.\d{{3}}: (step 8|the base .*)  \(… s\)\n",
        done.output,
    )
    losses = [row["loss"] for row in done.history["loss"]]
    assert losses[-1] < losses[0]
    assert {value.dtype for value in tensors(done.model / "model.safetensors").values()} == {np.dtype(np.float32)}


def test_adapters_leave_a_model_like_the_base(folder: Path, run: Run) -> None:
    done = run(epochs=10, evaluations=1, lora=4, learning_rate=1e-2, matryoshka=[16])
    before, after = (tensors(path / "model.safetensors") for path in (folder / "own/model", done.model))
    assert {name: value.shape for name, value in after.items()} == {name: v.shape for name, v in before.items()}
    moved = {name for name, value in before.items() if (value != after[name]).any()}
    assert all("encoder.layer" in name and name.endswith("weight") for name in moved)
    assert bool(moved) == (done.dev[1] > done.dev[0])  # else the base model is kept
    assert dev_of(done) == pytest.approx(max(done.dev), abs=0.005)  # merging rounds, and near ranks may change


def test_a_second_round_trains_on_with_negatives_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[dict[str, Any]]] = []

    def watched(model: SentenceTransformer, data: Round, folder: Path, **options: Any) -> Outcome:
        seen.append(list(data.rows))
        return trainer.train(model, data, folder, **options)

    monkeypatch.setattr(tuning, "train", watched)
    done = run(epochs=20, evaluations=2, rounds=2)
    assert [row["dev_step"] for row in done.history["dev"]] == [0, 10, 20, 30, 40]
    assert [row["step"] for row in done.history["loss"]] == list(range(1, 41))
    first, second = (row["loss"] for row in done.history["loss"][19:21])
    assert second < 2 * first  # it went on from where it was
    assert done.output.startswith("  mining hard negatives with the tuned model\n✓ train  40 steps in fp32; ")
    chosen = done.history["chosen"]["step"]
    assert chosen in (30, 40)
    assert dev_of(done) == pytest.approx(max(done.dev[3:]), abs=1e-6)
    texts = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    for row, before in zip(seen[1], seen[0], strict=True):
        assert row["anchor"] == before["anchor"]
        assert 2 <= len(row["negative"]) <= 4  # two for each of two queries
        assert set(row["negative"]) <= set(texts) - {row["positive"]}
    assert [row["negative"] for row in seen[1]] != [row["negative"] for row in seen[0]]


def test_a_mixture_with_the_base_is_taken_where_it_is_best_on_dev(folder: Path, run: Run) -> None:
    done = run(epochs=20, evaluations=1, interpolations=3)
    share = done.history["chosen"]["share"]
    assert share in (0.0, 0.25, 0.5, 0.75, 1.0)
    score = float(done.output.rpartition("→ ")[2][:5])
    assert score >= max(done.dev) - 0.001
    assert dev_of(done) == pytest.approx(score, abs=6e-4)
    assert (f"{share:.0%} of the way from the base model" in done.output) == (0 < share < 1)


@pytest.mark.parametrize("queries", ["as_in_training", "for_other_passages"])
def test_thirty_real_queries_can_keep_the_base(folder: Path, run: Run, queries: str) -> None:
    """The model learns what serves queries like those of training, and none that mean another passage."""
    texts = [row["query"] for row in files.read_jsonl(folder / paths.QUERIES)][::3]
    workspace.ask(folder, texts[:30] if queries == "as_in_training" else texts[5:35])
    done = run(real_evidence=400)
    assert files.read_table(done.model / tuned_model.REAL_EVIDENCE)["query_id"] == [real_id(row) for row in range(30)]
    chosen = done.history["chosen"]
    if queries == "as_in_training":
        assert (chosen["share"], chosen["by"], chosen["doubt"]) == (1.0, "dev", None)
        return
    assert (chosen["share"], chosen["by"]) == (0.0, "real")
    assert chosen["doubt"].startswith("with the tuned model one half of 30 real queries is better by ")
    assert f"{chosen['doubt']}: the base model is kept." in done.output
    assert done.output.endswith("the base model is kept, chosen by 30 real queries  (… s)\n")
    assert is_base(done)


@pytest.mark.parametrize("dev", ["for", "in_doubt", "against"])
@pytest.mark.parametrize("tuned", [True, False])
def test_a_hundred_real_queries_choose_whatever_dev_says(folder: Path, run: Run, tuned: bool, dev: str) -> None:
    """Two of the queries for each passage are trained on, the third is not; or the base answers them best."""
    workspace.ask(folder, [f"{row['query']} zyxreal" for row in files.read_jsonl(folder / paths.QUERIES)], each=3)
    let_the_base_answer(folder, "dev", {"for": 0, "in_doubt": 4, "against": 40}[dev])
    let_the_base_answer(folder, "real", 0 if tuned else 120)
    done = run(real_evidence=400, certainty=0.95, evaluations=1)
    assert (max(done.dev[1:]) > done.dev[0]) == (dev != "against")
    evidence = files.read_table(done.model / tuned_model.REAL_EVIDENCE)
    assert evidence["query_id"] == [real_id(row) for row in range(120)]
    halves = [[g for g, h in zip(evidence["gain"], evidence["half"], strict=True) if h == half] for half in (1, 2)]
    assert [len(half) for half in halves] == [60, 60]
    assert evidence["half"][::3] == evidence["half"][1::3] == evidence["half"][2::3]  # those of a passage are together
    assert [np.mean(half) > 0.02 for half in halves] == [np.mean(half) > 0 for half in halves] == [tuned] * 2
    chosen = done.history["chosen"]
    assert (chosen["share"], chosen["by"]) == (float(tuned), "real")
    assert done.output.endswith(", chosen by 120 real queries  (… s)\n")
    assert is_base(done) != tuned
    assert (chosen["doubt"] is None) == tuned


def test_fewer_than_thirty_real_queries_are_not_asked(folder: Path, run: Run) -> None:
    workspace.ask(folder, [row["query"] for row in files.read_jsonl(folder / paths.QUERIES)][::3][:29])
    assert not (run(real_evidence=400).model / tuned_model.REAL_EVIDENCE).exists()


def let_the_base_answer(folder: Path, of_set: str, number: int) -> None:
    """Make what the base model finds first the answer of so many queries of a set; generated ones are of a new kind."""
    queries, judged = list(files.read_jsonl(folder / paths.QUERIES)), files.read_table(folder / paths.QRELS)
    passages = read_rows(folder, paths.VECTORS, "passages")
    sections = [section_id("doc.md", f"Part {row}") for row in range(workspace.PASSAGES)]
    rows = [row for row, name in enumerate(judged["set"]) if name == of_set][:number]
    vectors = read_rows(folder, paths.VECTORS, "queries" if of_set == "dev" else "real")
    for row in rows:
        query = row_of(judged["query_id"][row])
        judged["section"][row] = sections[int((passages @ vectors[query]).argmax())]
        if of_set == "dev":
            queries[query]["kind"] = "question"
    files.write_jsonl(folder / paths.QUERIES, queries)
    files.write_table(folder / paths.QRELS, judged)


def is_base(done: Done) -> bool:
    """True if the model that was saved is the base model."""
    base, kept = (tensors(path / "model.safetensors") for path in (done.folder / "own/model", done.model))
    return all(np.array_equal(base[name], kept[name]) for name in base)


def test_key_phrases_alone_take_the_model_half_of_the_way(done: Done, folder: Path, run: Run) -> None:
    rows = [{**row, "provider": "keyphrases"} for row in files.read_jsonl(folder / paths.QUERIES)]
    files.write_jsonl(folder / paths.QUERIES, rows)
    half = run()
    assert half.history["chosen"] == {**done.history["chosen"], "share": 0.5}
    assert ", 50% of the way from the base model" in half.output
    base, end, kept = (tensors(at / "model.safetensors") for at in (folder / "own/model", done.model, half.model))
    moved = [name for name in base if not np.array_equal(base[name], end[name])]
    assert len(moved) > 20
    for name in moved:
        np.testing.assert_allclose(kept[name], (base[name] + end[name]) / 2, atol=1e-6)


def test_patience_ends_a_run_that_no_longer_gets_better(run: Run) -> None:
    done = run(epochs=60, evaluations=60, patience=1)
    scores = done.dev[1:]
    assert len(scores) < 60
    best = max(range(len(scores)), key=lambda number: scores[number])
    assert best == len(scores) - 2  # the one after it was not better
    assert done.output.startswith(f"✓ train  {len(scores)} steps in fp32; ")
    assert done.history["chosen"]["step"] == best + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, of its compiler
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_layers_learn_the_same(folder: Path, run: Run) -> None:
    config = files.read_json(folder / "own/model/config.json")
    files.write_json(folder / "own/model/config.json", {**config, "hidden_dropout_prob": 0.0})
    plain = [row["loss"] for row in run(epochs=2, evaluations=1, learning_rate=1e-4).history["loss"]]
    compiled = [row["loss"] for row in run(epochs=2, evaluations=1, learning_rate=1e-4, compile=True).history["loss"]]
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_a_kill_leaves_no_model_and_the_next_run_goes_on_and_ends_the_same(done: Done, folder: Path, run: Run) -> None:
    workspace.configure(folder, workspace.train_config())
    process = workspace.start("train", folder)
    deadline = time.monotonic() + 120
    while not list(folder.glob(".fieldtune/checkpoints/*/0/checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / paths.MODEL).exists()
    assert list(folder.glob(".fieldtune/checkpoints/*/0/checkpoint-*"))
    again = run()
    assert again.output == done.output
    assert contents(again.model) == contents(done.model)
    assert list((folder / ".fieldtune/checkpoints").iterdir()) == []


def test_a_pinned_model_is_taken_as_it_is_and_new_passages_are_counted(done: Done, folder: Path, run: Run) -> None:
    pinned = str(done.model)
    again = run(pin=pinned)
    base, best = f"{done.dev[0]:.3f}", f"{max(done.dev):.3f}"
    end = f"dev NDCG@10 {base} → {best}  (… s)\n"
    assert again.output == f"✓ train  {pinned} is used as it is; 0 of 40 passages are new to it; {end}"
    assert [row["dev_step"] for row in again.history["dev"]] == [0, 1]
    assert again.history["pinned"] == {"passages": 40, "new": 0, "stale": False}
    taken, before = contents(again.model), contents(done.model)
    assert sorted(taken) == sorted(before) == LEFT
    # The tokenizer of a model that has encoded tells how it cuts.
    assert {name for name in LEFT if taken[name] != before[name]} <= {"history.json", "tokenizer_config.json"}
    # A fifth of the passages changes, whose words stay.
    rows = list(files.read_jsonl(folder / paths.PASSAGES))
    for row in rows[:8]:
        row["text"] += " zyxnew"
    vectors = read_rows(folder, paths.VECTORS, "passages")
    files.write_jsonl(folder / paths.PASSAGES, rows)
    write_vectors(folder / paths.VECTORS, PASSAGES, [passage_text(row) for row in rows], vectors)
    changed = run(pin=pinned)
    assert {name for name in LEFT if contents(changed.model)[name] != taken[name]} == {"history.json"}
    tune = "  8 of 40 passages are new to the pinned model: tune again (`pin: data/none.jsonl` in params.yaml)\n"
    assert changed.output.startswith(f"{tune}✓ train  {pinned} is used as it is; 8 of 40 passages are new to it; ")
    assert changed.history["pinned"] == {"passages": 40, "new": 8, "stale": True}


def test_a_pinned_model_that_is_no_better_than_the_base_is_said(folder: Path, run: Run) -> None:
    same = run(pin="own/model")
    score = re.escape(f"{same.dev[0]:.3f}")
    assert re.fullmatch(
        rf"  on dev the pinned model is no better than the base model \(NDCG@10 {score} → 0\.\d{{3}}\): tune again\n"
        rf"✓ train  own/model is used as it is; its training passages are unknown; dev NDCG@10 {score} → .*\n",
        same.output,
    )
    assert same.history["pinned"] == {"passages": 40, "new": None, "stale": False}
    assert "known_passages.txt" not in contents(same.model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "nowhere"}, "the base model, someone/tiny, is not in nowhere"),
        ({"dimension": 384}, "someone/tiny gives vectors of 32 numbers"),
    ],
)
def test_a_wrong_model_is_an_error_before_any_work(
    changes: dict[str, Any], message: str, folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(model=workspace.model_config(**changes))
    assert ended.value.code == 1
    assert capsys.readouterr().out.startswith(f"✗ train  {message}")
    assert not (folder / paths.MODEL).exists()


def test_a_base_model_with_other_weights_than_embed_had_is_not_trained(
    folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write_text(folder / paths.VECTORS / base_models.WEIGHTS, "0123456789abcdef")
    with pytest.raises(SystemExit):
        run()
    assert capsys.readouterr().out.startswith(
        "✗ train  the weights of the base model, someone/tiny, have changed since"
    )


def test_dvc_draws_both_curves_of_two_commits(done: Done, tmp_path: Path) -> None:
    def call(*command: str) -> str:
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    plots = (workspace.ROOT / "dvc.yaml").read_text().partition("\nplots:")[2]
    assert plots
    (tmp_path / "dvc.yaml").write_text("plots:" + plots)
    call("git", "init", "--quiet")
    call("dvc", "init", "--quiet")
    history = done.history
    histories = [history, {**history, "loss": history["loss"][:-1], "dev": history["dev"][:-1]}]
    for number, history in enumerate(histories):
        files.write_json(tmp_path / paths.MODEL / tuned_model.HISTORY, history)
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
