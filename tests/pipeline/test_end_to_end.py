"""The real pipeline, run by the real DVC, on a team's own documents with a tiny model: everything but the sizes."""

import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from datasets import load_dataset
from sentence_transformers import SentenceTransformer

from tests import pages
from tests.pipeline import repository
from tests.pipeline.repository import commit, dvc, edit, git, stages_run
from tests.pipeline.test_dvc_yaml import STAGES

pytestmark = pytest.mark.pipeline

OUTPUTS = (
    "passages", "real", "queries", "vectors", "dataset", "baseline", "rivals", "model", "curve", "tuned_vectors",
    "export",
)  # fmt: skip
LEFT_BY_EDITORS = "x.py~ .x.py.swp .#x.py #x.py# x.py.orig x.py.rej .DS_Store __pycache__/x.pyc .ipynb_checkpoints/x"


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository after its first run, and what that printed."""
    folder = tmp_path_factory.mktemp("team")
    repository.make(folder)
    printed = dvc(folder, "repro")
    commit(folder, "first run")
    git(folder, "tag", "first")
    return folder, printed


@pytest.fixture(scope="module")
def second_run(first_run: tuple[Path, str]) -> Path:
    """The repository with a second commit, whose run was killed twice.

    It trains longer and writes no ONNX: the first run has it, and each further one would cost as much again.
    """
    folder, _ = first_run
    return_to(folder, "first")
    edit(folder / "params.yaml", {"epochs: 30": "epochs: 40"})
    edit(folder / "conf/config.yaml", {"onnx: true": "onnx: false"})
    run_and_kill(folder, "dvc", ["compose", "train"])
    run_and_kill(folder, "stage", ["train"])
    assert stages_run(dvc(folder, "repro")) == ["train", "curve", "evaluate", "export"]
    commit(folder, "more epochs")
    git(folder, "tag", "second")
    return folder


def return_to(folder: Path, tag: str) -> None:
    """Make the repository what it was at a tag."""
    moved = git(folder, "diff", "--name-only", tag, "--", "dvc.lock")
    git(folder, "checkout", "--quiet", "--force", "-B", "main", tag)
    git(folder, "clean", "--quiet", "--force", "-d", "own", "fieldtune", "stages")
    if moved or not all((folder / "data" / name).exists() for name in OUTPUTS):  # DVC takes seconds to start
        dvc(folder, "checkout", "--quiet", "--force", "dvc.yaml")


@pytest.fixture
def team(first_run: tuple[Path, str]) -> Path:
    """The repository as it was after its first run."""
    folder, _ = first_run
    return_to(folder, "first")
    return folder


def test_it_ends_with_a_model_a_verdict_and_an_export(first_run: tuple[Path, str]) -> None:
    folder, printed = first_run
    assert stages_run(printed) == list(STAGES)
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("✓")] == list(STAGES)
    metrics = json.loads((folder / "data/evaluation/metrics.json").read_text())
    assert metrics["verdict"] in ("ship", "marginal", "keep_base")
    assert metrics["real"]["n"] == 60
    assert set(metrics["real"]["gain"]) == {"vs_base", "vs_bm25", "vs_bm25_fields", "vs_hybrid"}
    assert (folder / "data/evaluation/report.html").stat().st_size > 10_000
    model = SentenceTransformer(str(folder / "data/export/model"), local_files_only=True)
    assert model.encode_query("how do I make a new server").shape == (32,)
    assert (folder / "data/export/onnx/model.onnx").is_file()
    train = load_dataset("parquet", data_files=str(folder / "data/dataset/train.parquet"), split="train")
    assert train.column_names[:2] == ["anchor", "positive"]


def test_own_documents_download_nothing_of_the_sample(first_run: tuple[Path, str]) -> None:
    folder, _ = first_run
    assert not (folder / "data/sample/docs").exists()
    assert not (folder / ".fieldtune/wheels").exists()


def test_only_the_stages_own_lines_are_printed(first_run: tuple[Path, str]) -> None:
    _, printed = first_run
    dvc_prints = (
        "Running stage '",
        "> python -m stages.",
        "Updating lock file",
        "Generating lock file",
        "Use `dvc push`",
    )
    ours = ("✓ ", "  ")
    git_hint = ("To track the changes with git", "To enable auto staging", "\tgit add", "\tdvc config")
    known = (*dvc_prints, *ours, *git_hint)
    assert [line for line in printed.splitlines() if line.strip() and not line.startswith(known)] == []


def test_a_second_run_does_nothing(team: Path) -> None:
    assert "Data and pipelines are up to date." in dvc(team, "repro")


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("params.yaml", "epochs: 30", "epochs: 31", {"train", "curve", "evaluate"}),
        ("conf/config.yaml", "temperature: 0.05", "temperature: 0.03", {"train", "curve", "evaluate"}),
        ("conf/config.yaml", "max_loss: 0.005", "max_loss: 0.006", {"export"}),
        ("conf/config.yaml", "export:\n", "# a comment\nexport:\n", set()),
    ],
)
def test_one_edited_setting_makes_stale_what_reads_it(
    team: Path, file: str, old: str, new: str, stale: set[str]
) -> None:
    """What follows a stage that ran is shown below, by a run that goes on after a kill."""
    edit(team / file, {old: new})
    assert stages_run(dvc(team, "repro", "compose")) == ["compose"]
    assert changed(team) == stale


# Stages that have the folder as a dependency; what reads their outputs follows if these become others.
RETRIEVAL = {"real", "generate", "dataset", "baseline", "rivals", "train", "curve", "evaluate", "export"}
MODELS = {"embed", "rivals", "train", "curve", "evaluate", "export"}


@pytest.mark.parametrize(
    ("file", "old", "stale"),
    [
        ("fieldtune/runtime/console.py", "def note(", set()),
        ("fieldtune/retrieval/metrics.py", "def means(", {"compose"} | RETRIEVAL),
        ("fieldtune/models/tokens.py", "def tokenize(", {"compose"} | MODELS),
        ("stages/train/trainer.py", "def train(", {"compose", "train", "curve"}),
    ],
)
def test_one_edited_line_of_code_makes_stale_what_runs_it(team: Path, file: str, old: str, stale: set[str]) -> None:
    edit(team / file, {f"\n{old}": f"\n# a comment\n{old}"})
    assert changed(team) == stale


def test_an_edit_of_the_words_of_bm25_leaves_ingest_and_embed_alone(team: Path) -> None:
    edit(team / "fieldtune/retrieval/words.py", {"\ndef ": "\n# a comment\ndef "})
    assert sorted(stages_run(dvc(team, "repro", "real", "generate"))) == ["compose", "generate", "real"]
    assert changed(team) == RETRIEVAL - {"real", "generate"}  # not embed, which reads what those two write
    assert git(team, "status", "--porcelain", "data") == ""


def test_an_edit_under_the_encoder_is_encoded_again_and_the_same_vectors_go_no_further(team: Path) -> None:
    edit(team / "fieldtune/models/tokens.py", {"\ndef ": "\n# a comment\ndef "})
    assert stages_run(dvc(team, "repro", "baseline")) == ["compose", "embed"]
    assert git(team, "status", "--porcelain", "data") == ""


def test_the_files_of_an_editor_change_nothing(team: Path) -> None:
    for folder in ("fieldtune/models", "stages/train"):
        for name in LEFT_BY_EDITORS.split():
            (team / folder / name).parent.mkdir(exist_ok=True)
            (team / folder / name).write_text("a line")
    assert changed(team) == set()


def test_after_a_change_of_a_rival_nothing_is_encoded_again(team: Path) -> None:
    shutil.copytree(team / "own/model", team / "own/rivals/last_year")
    (team / "own/rivals/rivals.yaml").write_text("before: {folder: last_year}\n")
    edit(team / "params.yaml", {"rivals: data/none.jsonl": "rivals: own/rivals"})
    assert stages_run(dvc(team, "repro", "evaluate")) == ["compose", "rivals", "evaluate"]
    encoded = kept_vectors(team)
    assert encoded
    (team / "own/rivals/rivals.yaml").write_text("after: {folder: last_year}\n")
    printed = dvc(team, "repro", "evaluate")
    assert stages_run(printed) == ["rivals", "evaluate"]
    assert re.search(r"  0 of [\d,]+ passages and 0 of [\d,]+ queries encoded with the tuned model", printed)
    assert kept_vectors(team) == encoded  # nor the texts that tell if the model forgot
    metrics = json.loads((team / "data/evaluation/metrics.json").read_text())
    assert metrics["real"]["rival:after"]["ndcg@10"] == metrics["real"]["base"]["ndcg@10"]
    assert "rival:before" not in metrics["real"]


def kept_vectors(folder: Path) -> set[tuple[str, int, bytes]]:
    """The rows of the stores of vectors, each with its number, which is another one after a text was encoded again."""
    rows = set()
    for file in (folder / ".fieldtune/vectors").glob("*.sqlite"):
        with closing(sqlite3.connect(file)) as db:
            rows |= {(file.name, number, key) for number, key in db.execute("SELECT rowid, key FROM vectors")}
    return rows


def changed(folder: Path) -> set[str]:
    """The stages that DVC would run."""
    return set(json.loads(dvc(folder, "status", "--json", "dvc.yaml")))


def test_a_mistake_fails_in_compose_and_changes_no_config(team: Path) -> None:
    edit(team / "params.yaml", {"epochs: 30": "epocs: 30"})
    printed = dvc(team, "repro", code=255)
    assert stages_run(printed) == ["compose"]
    assert "unknown key train.epocs; did you mean train.epochs?" in printed
    assert "Traceback" not in printed
    assert git(team, "status", "--porcelain", "data/config") == ""


def test_the_same_commit_gives_the_same_bytes(team: Path) -> None:
    before = {path: path.read_bytes() for path in _results(team)}
    (team / ".dvc/tmp").rename(team / "kept-tmp")
    dvc(team, "repro", "--force", "--no-run-cache")
    (team / "kept-tmp").rename(team / ".dvc/tmp-of-before")
    after = {path: path.read_bytes() for path in _results(team)}
    assert sorted(before) == sorted(after)
    assert [path.name for path in before if before[path] != after[path]] == []
    assert git(team, "status", "--porcelain") == "?? .dvc/tmp-of-before/\n"
    shutil.rmtree(team / ".dvc/tmp-of-before")


def _results(folder: Path) -> list[Path]:
    places = [folder / "data" / name for name in (*OUTPUTS, "evaluation")]
    return [path for place in places for path in place.rglob("*") if path.is_file()]


def test_a_kill_leaves_nothing_half_done_and_no_orphan_and_the_next_run_goes_on(second_run: Path) -> None:
    """The kills are in the fixture."""
    return_to(second_run, "second")
    assert len(json.loads((second_run / "data/evaluation/metrics.json").read_text())["real"]) > 0


def run_and_kill(folder: Path, victim: str, ran: list[str]) -> None:
    """Run the pipeline, and kill `dvc` or the stage `train` while it trains; `ran` are the stages up to there."""
    running = subprocess.Popen(
        ["dvc", "repro"], cwd=folder, env=repository.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    stage = _child(running, "stages.train")
    _until_a_checkpoint(folder, running)
    os.kill(running.pid if victim == "dvc" else stage, signal.SIGKILL)
    printed, _ = running.communicate(timeout=60)
    assert running.returncode != 0
    _gone(stage)
    assert not (folder / "data/model").exists()
    assert stages_run(printed.decode()) == ran


def _child(parent: subprocess.Popen[bytes], module: str) -> int:
    """The process that runs `module`, once `parent` or a child of it has started one."""
    import psutil

    for _ in range(600):
        for process in psutil.Process(parent.pid).children(recursive=True):
            with suppress(psutil.Error):  # one that ended a moment ago
                if module in process.cmdline():
                    return process.pid
        assert parent.poll() is None, "dvc ended before the stage began"
        time.sleep(0.1)
    pytest.fail(f"{module} never ran")


def _until_a_checkpoint(folder: Path, running: subprocess.Popen[bytes]) -> None:
    """Wait until the training is past its first evaluation, in a part of its steps."""
    while not list(folder.glob(".fieldtune/checkpoints/*/*/checkpoint-*/trainer_state.json")):
        assert running.poll() is None, "dvc ended before the first checkpoint"
        time.sleep(0.02)


def _gone(process: int) -> None:
    import psutil

    for _ in range(100):
        if not psutil.pid_exists(process):
            return
        time.sleep(0.1)
    pytest.fail("the stage outlived dvc by ten seconds")


def test_the_data_curve_trains_on_parts_alone(team: Path) -> None:
    edit(team / "params.yaml", {"experiment: null": "experiment: data_curve"})
    printed = dvc(team, "repro", "evaluate")
    assert stages_run(printed) == ["compose", "curve", "evaluate"]  # the tuned model is not trained again
    metrics = json.loads((team / "data/evaluation/metrics.json").read_text())
    assert [point["share"] for point in metrics["data_curve"]["points"]] == [0.125, 0.25, 0.5, 1.0]
    assert metrics["data_curve"]["points"][3]["ndcg@10"] == metrics["real"]["tuned"]["ndcg@10"]
    assert f"  {metrics['data_curve']['said']}\n" in printed
    dvc(team, "plots", "show")
    assert "NDCG@10 by training passages" in (team / "dvc_plots/index.html").read_text()


def test_the_commands_for_experiments_run_and_can_be_read(second_run: Path) -> None:
    team = second_run
    return_to(team, "second")
    commands = [line for line in pages.commands("docs/experiments.md") if line not in pages.not_run()]
    printed = {command: repository.shell(team, command) for command in ("dvc plots show", *dict.fromkeys(commands))}

    lists = ("fieldtune experiments", "dvc exp show")
    shown = next(text for command, text in printed.items() if command.startswith(lists))
    header = next(line for line in shown.splitlines() if "experiment" in line.lower())
    assert {"learning_rate", "tuned"} <= set(header.split())
    assert len(header.split()) <= 10
    rows = list(csv.DictReader(io.StringIO(dvc(team, "exp", "show", "--csv"))))
    experiments = [row for row in rows if row["typ"].startswith("branch")]
    assert {"5e-05"} <= {row["train.learning_rate"] for row in experiments}
    assert {"1", "3"} <= {row["train.epochs"] for row in experiments}
    assert "" not in {row["verdict"] for row in experiments}

    assert re.search(r"params.yaml +train.epochs +30 +40", printed["dvc params diff HEAD~1"])
    composed = printed["dvc params diff HEAD~1 --targets data/config/*.yaml"]
    assert re.search(r"data/config/train.yaml +epochs +30.0 +40.0", composed)
    assert re.search(r"data/config/export.yaml +onnx +True +False", composed)  # which conf/ says
    assert "summary.json" in printed["dvc metrics diff HEAD~1"]
    page = (team / "dvc_plots/index.html").read_text()
    for title in ("NDCG@10 of the systems", "training loss", "dev NDCG@10"):
        assert title in page


def test_an_experiment_may_have_other_documents(team: Path) -> None:
    shutil.copytree(team / "own/docs", team / "own/fewer")
    (team / "own/fewer/guide0.md").unlink()
    dvc(team, "exp", "run", "-S", "documents=own/fewer", "real")
    report = json.loads((team / "data/passages/report.json").read_text())
    assert report["documents"] == repository.DOCUMENTS - 1
