"""Sharing a team's own results by DVC, with the commands of docs/team.md."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.repository import ROOT, commit, dvc, git, make, shell

pytestmark = pytest.mark.pipeline
TEAM = (ROOT / "docs/team.md").read_text(encoding="utf-8")


def outputs(folder: Path) -> list[str]:
    stages: dict[str, dict[str, Any]] = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    listed = [out for stage in stages.values() for out in [*stage["outs"], *stage.get("metrics", [])]]
    return [out if isinstance(out, str) else next(iter(out)) for out in listed]


def finish(folder: Path, words: str) -> None:
    """All outputs, as of a finished run, known to DVC; what is in them decides nothing here."""
    for name in outputs(folder):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix:
            place.write_text(words, encoding="utf-8")
        else:
            place.mkdir(exist_ok=True)
            for file in ("passages.jsonl", "queries.jsonl", "log.jsonl", "report.json", "cost.json", "metrics.json"):
                (place / file).write_text(words, encoding="utf-8")
            for file in ("qrels", "clusters", "train", "train_ids", "rankings"):
                (place / f"{file}.parquet").write_text(words, encoding="utf-8")
    dvc(folder, "commit", "--force", "dvc.yaml")
    commit(folder, words)


@pytest.fixture(scope="module", params=["with", "without"])
def clone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of a repository with results of its own, with and without data/sample/dvc.lock."""
    root = tmp_path_factory.mktemp("sharing")
    team = root / "team"
    team.mkdir()
    make(team)
    if request.param == "with":
        (team / "data/sample/dvc.lock").write_bytes((ROOT / "data/sample/dvc.lock").read_bytes())
        commit(team, "the sample's lock, as in the repository that was cloned")
    finish(team, "first")
    (remote,) = (line for line in TEAM.splitlines() if line.startswith("dvc remote add --default storage /"))
    shell(team, remote.replace("/srv/dvc", shlex.quote(str(root / "storage"))))
    commit(team, "a place for results")
    dvc(team, "push")
    finish(team, "second")
    assert "missing" not in dvc(team, "push").lower()
    git(root, "clone", "--quiet", str(team), "clone")
    return root / "clone"


def test_a_colleague_pulls_and_goes_back_and_forth(clone: Path) -> None:
    (pull,) = (line for line in TEAM.splitlines() if line.startswith("dvc pull"))
    shell(clone, pull)
    dvc(clone, "pull")
    assert (clone / "data/model/report.json").read_text(encoding="utf-8") == "second"
    newest = git(clone, "rev-parse", "HEAD").strip()
    git(clone, "checkout", "--quiet", "HEAD~1")
    dvc(clone, "pull")
    assert (clone / "data/model/report.json").read_text(encoding="utf-8") == "first"
    git(clone, "checkout", "--quiet", newest)
    dvc(clone, "checkout")
    assert (clone / "data/model/report.json").read_text(encoding="utf-8") == "second"
    dvc(clone, "push")
    dvc(clone, "fetch")


def test_nothing_of_the_sample_is_in_the_way(clone: Path) -> None:
    assert not (clone / "data/sample/docs").exists()
    assert "data/sample" not in dvc(clone, "status", "--cloud")


WRONG: dict[str, str] = {
    "null": "null", "nothing": "", "a number": "2024", "a fraction": "1.5", "true": "true", "false": "false",
}  # fmt: skip


@pytest.mark.parametrize("key", ["documents", "queries", "pairs", "model_path", "pin", "style", "rivals"])
def test_what_dvc_reads_first_is_checked_by_compose(clone: Path, key: str) -> None:
    path = clone / "params.yaml"
    before = path.read_text(encoding="utf-8")
    now = yaml.safe_load(before)[key]
    try:
        for name, value in WRONG.items():
            path.write_text(before.replace(f"{key}: {now}", f"{key}: {value}"), encoding="utf-8")
            printed = dvc(clone, "repro", code=255)
            assert "unexpected error" not in printed, name
            (line,) = (line for line in printed.splitlines() if "✗ compose" in line)
            assert f"no value for {key}" in line or f"{key} is {value}: it must be text" in line
    finally:
        path.write_text(before, encoding="utf-8")
