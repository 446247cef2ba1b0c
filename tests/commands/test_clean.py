"""What goes from `.fieldtune/` and what stays, and that nothing goes under a stage that runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fieldtune.commands import cli
from fieldtune.corpus import files
from fieldtune.models.kept_vectors import VectorStore, fingerprint, kept

ROOT = Path(__file__).parents[2]
KEPT = {"replies.sqlite", "wheels/botocore.whl", "locks/train-0123456789ab"}
GONE = {
    "checkpoints/ab/0/checkpoint-3/model.safetensors",
    "curve/ab/0.5/point.json",
    "ingest.sqlite",
    "ingest.sqlite-wal",
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    for name in KEPT | GONE:
        path = tmp_path / ".fieldtune" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 2_000)
    return tmp_path / ".fieldtune"


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_comes_again_goes_and_what_was_bought_stays(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["clean", "--dry-run"])
    assert contents(state) == KEPT | GONE
    assert capsys.readouterr().out.count("      2 kB  would delete: ") == 4
    cli.main(["clean"])
    assert contents(state) == KEPT
    assert not (state / "checkpoints").exists()
    assert capsys.readouterr().out.count("      2 kB  deleted: ") == 4
    cli.main(["clean"])
    assert "nothing to delete" in capsys.readouterr().out


def test_vectors_of_models_in_use_stay_and_others_go(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("pinned", "data/model", "old"):
        for name in ("modules.json", "model.safetensors"):
            files.write_text(Path(folder, name), folder)
    files.write_text(Path("params.yaml"), "pin: pinned\n")
    for folder in ("pinned", "data/model", "old"):
        store = VectorStore(fingerprint(Path(folder)), folder, stays=folder == "pinned")
        store.put([b"k" * 16], np.ones((1, 384), dtype=np.float32))
        store.close()
    cli.main(["clean", "--dry-run"])
    assert len(kept()) == 3
    cli.main(["clean"])
    assert {model.name for model in kept()} == {"pinned", "data/model"}
    printed = capsys.readouterr().out
    assert [
        line.split(": vectors of ")[0].split("  ")[-1] for line in printed.splitlines() if "vectors of" in line
    ] == [
        *("would delete", "stays", "stays"),
        *("deleted", "stays", "stays"),
    ]


@pytest.mark.parametrize("stage", ["train", "ingest", "evaluate"])
def test_nothing_goes_while_a_stage_runs_in_any_copy_of_the_repository(
    state: Path, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    work = "lambda: print(1, flush=True) or input()"
    code = f"import sys; from fieldtune.runtime.stage import run_stage; run_stage({stage!r}, {work})"
    copy = state.parent / "copy"  # as an experiment in a folder of its own, which shares the cache
    (copy / ".dvc").mkdir(parents=True)
    (copy / ".dvc/config").write_text(f"[cache]\n    dir = {state.parent}/.dvc/cache\n")
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=copy,
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "1\n"
        with pytest.raises(SystemExit):
            cli.main(["clean"])
        assert f"stage {stage} is running (process {process.pid})" in " ".join(capsys.readouterr().out.split())
        assert contents(state) >= KEPT | GONE
        process.communicate("\n")
    cli.main(["clean"])
    assert not GONE & contents(state)
