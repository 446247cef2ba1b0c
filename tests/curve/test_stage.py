"""The stage as DVC runs it, on a tiny model: what it measures, that nothing is measured twice, and when it is off."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus, passage_text
from fieldtune.models import encoder
from fieldtune.retrieval import curve_points, metrics, ranking
from fieldtune.retrieval.judged_queries import real_id
from fieldtune.runtime import paths
from stages.curve import points
from stages.curve.__main__ import work
from stages.curve.config import CurveConfig
from stages.curve.shares import nested
from stages.train.real_evidence import Decision
from stages.train.trainer import Outcome
from stages.train.tuning import Tuned, read_inputs, tune
from tests.models.test_processes import LAUNCHER
from tests.tiny_model import tiny_model
from tests.train import workspace
from tests.vectors import read_rows

pytestmark = pytest.mark.pipeline

SETTINGS: dict[str, Any] = {"epochs": 60, "evaluations": 2, "learning_rate": 2e-3}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage's inputs: those of training, with a real test query for each passage."""
    folder = tmp_path_factory.mktemp("prepared")
    workspace.write(folder)
    workspace.ask(folder, [row["query"] for row in files.read_jsonl(folder / paths.REAL)])
    ids = files.read_table(folder / paths.TRAIN_IDS)["query_id"]
    passages = [row["id"] for row in files.read_jsonl(folder / paths.PASSAGES)]
    positives = [passages[int(query[1:]) // 3] for query in ids]
    files.write_table(folder / paths.TRAIN_IDS, {"query_id": ids, "positive_id": positives})
    configure(folder)
    return folder


def configure(folder: Path, data_curve: bool = True, **changes: Any) -> None:
    workspace.configure(folder, workspace.train_config(**{**SETTINGS, **changes}))
    config = CurveConfig(data_curve=data_curve, precision="fp32", batch_size=2)
    files.write_text(folder / paths.CONFIG / "curve.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def done(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("done")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    status, output = workspace.run("curve", folder)
    assert status == 0, output
    return folder, output


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / paths.CURVE).iterdir()}


def test_it_measures_three_shares_and_leaves_no_state(done: tuple[Path, str]) -> None:
    folder, output = done
    measured = files.read_json(folder / paths.CURVE / curve_points.POINTS)
    assert [point["base_kept"] for point in measured] == [True, False, False]
    assert [(point["share"], point["passages"], point["pairs"]) for point in measured] == [
        (0.125, 5, 10),
        (0.25, 10, 20),
        (0.5, 20, 40),
    ]
    table = files.read_table(folder / paths.CURVE / curve_points.PER_QUERY)
    assert list(table) == ["query_id", "0.125", "0.25", "0.5"]
    assert table["query_id"] == [real_id(row) for row in range(workspace.PASSAGES)]
    means = [np.mean(table[f"{point['share']:g}"]) for point in measured]
    shown = ", ".join(f"{mean:.3f} with {share}%" for mean, share in zip(means, ("12.5", "25", "50"), strict=True))
    assert f"✓ curve  NDCG@10 on 40 real queries: {shown}  (" in output
    assert [line for line in output.splitlines() if not line.startswith("✓")] == [
        "  12.5% of the training passages: 5, with 10 pairs",
        "  25% of the training passages: 10, with 20 pairs",
        "  50% of the training passages: 20, with 40 pairs",
    ]
    assert list((folder / ".fieldtune/curve").iterdir()) == []
    assert sorted(outputs(folder)) == ["per_query.parquet", "points.json"]
    for word in workspace.SECRETS:
        assert word not in output
        assert not [name for name, content in outputs(folder).items() if word.encode() in content]


def test_a_share_is_what_the_training_makes_of_those_rows_alone(
    done: tuple[Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the pairs as the stage `train` would have them, and the model by sentence-transformers."""
    monkeypatch.chdir(folder)
    pairs, ids = files.read_table(paths.TRAIN), files.read_table(paths.TRAIN_IDS)["positive_id"]
    numbers = {row["id"]: row_of for row_of, row in enumerate(files.read_jsonl(paths.PASSAGES))}
    rows = nested(ids, [numbers[passage] for passage in ids], seed=0, least=2)[0.5]
    config = workspace.train_config(**SETTINGS)
    half = {name: [column[row] for row in rows] for name, column in pairs.items()}
    tuned = tune(config, read_inputs(config), half, Path("checkpoints"))
    assert tuned is not None
    assert tuned.outcome.steps == 60  # 20 passages are one batch, as 40 would be
    encoder.save(tuned.model, Path("half"))
    model = SentenceTransformer("half", local_files_only=True)
    corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
    texts = [passage_text(row) for row in files.read_jsonl(paths.PASSAGES)]
    queries = [row["query"] for row in files.read_jsonl(paths.REAL)]
    ranked = ranking.dense(model.encode_query(queries), model.encode_document(texts), corpus)
    expected = metrics.per_query(ranked, [{row: 1} for row in range(workspace.PASSAGES)])["ndcg@10"]
    folder_of_done, _ = done
    assert files.read_json(folder_of_done / paths.CURVE / curve_points.POINTS)[2]["base_kept"] == (tuned.share == 0)
    measured = files.read_table(folder_of_done / paths.CURVE / curve_points.PER_QUERY)["0.5"]
    assert np.mean(np.isclose(measured, expected, atol=1e-6)) > 0.9  # near ranks may change by batches
    assert np.mean(measured) == pytest.approx(expected.mean(), abs=0.01)


def test_a_kill_loses_no_share_and_the_end_is_the_same(
    done: tuple[Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = workspace.start("curve", folder)
    deadline = time.monotonic() + 120
    while not list(folder.glob(".fieldtune/curve/*/0.25/checkpoints/0/checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / paths.CURVE).exists()
    (first,) = folder.glob(".fieldtune/curve/*/0.125")
    assert [path.name for path in first.iterdir()] == ["point.json"]  # no weights are kept longer than they serve
    trained: list[str] = []

    def watched(*given: Any, **options: Any) -> Tuned | None:
        trained.append(given[3].parent.name)  # of the checkpoints
        return tune(*given, **options)

    monkeypatch.setattr(points, "tune", watched)
    monkeypatch.chdir(folder)
    work()
    assert trained == ["0.25", "0.5"]
    before, _ = done
    assert outputs(folder) == outputs(before)
    assert list((folder / ".fieldtune/curve").iterdir()) == []


def test_a_model_that_a_killed_run_did_not_score_is_not_trained_again(tmp_path: Path) -> None:
    trained: list[str] = []
    scored: list[Path | None] = []

    def train() -> Tuned:
        trained.append("once")
        (tmp_path / "share/checkpoints").mkdir(parents=True)
        return Tuned(tiny_model(tmp_path / "tiny"), Outcome([], [(1, 0.5)], 1, 1), 0.5, 1.0, Decision(False, "dev"))

    def score(model: Path | None) -> list[float]:
        scored.append(model)
        if len(scored) == 1:
            raise KeyboardInterrupt
        assert model is not None
        encoder.load_folder(model)
        return [0.25, 1.0]

    with pytest.raises(KeyboardInterrupt):
        points.measure_or_resume(tmp_path / "share", train, score)
    for _ in range(2):
        assert points.measure_or_resume(tmp_path / "share", train, score) == (False, [0.25, 1.0])
    assert (trained, len(scored)) == (["once"], 2)


def test_where_the_base_is_kept_its_vectors_score_without_a_query_that_is_a_passage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    configure(folder, learning_rate=1e-8, epochs=1, evaluations=1)
    passages = read_rows(Path(), paths.VECTORS, "passages")
    corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
    cosines = read_rows(Path(), paths.VECTORS, "real") @ passages.T
    ranked = ranking.dense(read_rows(Path(), paths.VECTORS, "real"), passages, corpus)
    own = [next(section for section in ranked.sections[row] if section != row) for row in range(workspace.PASSAGES)]
    rows = list(files.read_jsonl(paths.REAL))
    files.write_jsonl(paths.REAL, ({**row, "own": corpus.sections[own[number]]} for number, row in enumerate(rows)))
    work()
    assert [point["base_kept"] for point in files.read_json(paths.CURVE / curve_points.POINTS)] == [True, True, True]
    table = files.read_table(paths.CURVE / curve_points.PER_QUERY)
    assert table["0.125"] == table["0.25"] == table["0.5"]
    # By hand: the best section that is no answer is the query itself, and does not count.
    above = (cosines > np.diagonal(cosines)[:, None]).sum(axis=1)
    above -= cosines[range(len(rows)), own] > np.diagonal(cosines)
    assert table["0.125"] == pytest.approx([1 / np.log2(rank + 2) if rank < 10 else 0 for rank in above])
    before = metrics.per_query(ranked, [{row: 1} for row in range(workspace.PASSAGES)])["ndcg@10"]
    assert (np.array(table["0.125"]) >= before).all()
    assert np.mean(table["0.125"]) > before.mean()


def test_two_processes_measure_what_one_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a part has fewer passages than a batch; of five, though, one is left over."""
    config = files.read_json(folder / "own/model/config.json")
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # each process would draw its own
    files.write_json(folder / "own/model/config.json", {**config, **dropout})
    files.write_text(folder / "two.yaml", LAUNCHER)
    configure(folder, epochs=4, evaluations=1, launcher="two.yaml")
    status, output = workspace.run("curve", folder)
    assert status == 0, output
    assert sum(line.startswith("✓ curve") for line in output.splitlines()) == 1
    two = (
        files.read_json(folder / paths.CURVE / curve_points.POINTS),
        files.read_table(folder / paths.CURVE / curve_points.PER_QUERY),
    )
    monkeypatch.chdir(folder)
    configure(folder, epochs=4, evaluations=1)
    work()
    one = files.read_json(paths.CURVE / curve_points.POINTS), files.read_table(paths.CURVE / curve_points.PER_QUERY)
    assert two[0][1:] == one[0][1:]
    for share in ("0.25", "0.5"):
        assert two[1][share] == pytest.approx(one[1][share], abs=1e-6)
    assert list((folder / ".fieldtune/curve").iterdir()) == []


def test_off_it_writes_nothing_and_loads_no_library(folder: Path) -> None:
    configure(folder, data_curve=False)
    program = "import sys; from stages.curve.__main__ import work; print(work()); print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(workspace.ROOT), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.startswith("turned off (`evaluate.data_curve`)\n")
    assert not {"torch", "numpy", "sentence_transformers", "datasets"} & set(output.split())
    assert outputs(folder) == {"points.json": b"[]\n"}


def test_there_is_none_of_a_pinned_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    configure(folder, pin="own/model")
    assert work() == "none for a pinned model, which was not trained here"
    assert files.read_json(paths.CURVE / curve_points.POINTS) == []
