"""What a bug report should contain: in text and as JSON, in a repository that is whole and in one that is not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fieldtune.commands import cli
from fieldtune.commands.doctor import _next, _text
from tests.imports import ROOT

pytestmark = pytest.mark.pipeline


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository's files that the command reads, before the first run, with documents of its own."""
    for name in ("conf", "stages", "fieldtune", "data/config"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", "data/none.jsonl", "data/sample/dvc.yaml", ".dvc/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return tmp_path


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    cli.main(["doctor", *options])
    return capsys.readouterr().out


def test_it_says_all_that_a_report_needs_and_no_key(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-zyxsecret")
    monkeypatch.setenv("HF_TOKEN", " ")
    (repository / "data/passages").mkdir()
    rows = [{"title": "A title", "text": "A text of a document. " * 9}] * 50
    (repository / "data/passages/passages.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report: dict[str, Any] = json.loads(doctor(capsys, "--json"))
    assert report["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert report["versions"]["torch"]
    assert report["environment"] | {"ANTHROPIC_API_KEY": True, "HF_TOKEN": False} == report["environment"]
    assert report["machine"]["arithmetic"] in ("bf16", "fp32")
    assert report["machine"]["cores"] >= 1
    assert report["disk"]["needed"] > 5 * 90_000_000  # five copies of MiniLM
    assert report["memory"]["needed"] > 4 * 90_000_000
    assert set(report["stages"].values()) == {"never run"}
    assert next(iter(report["stages"])) == "compose"
    assert report["settings"]["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert report["seconds"] >= 0
    assert report["next"] == "dvc repro"
    printed = doctor(capsys)
    assert "zyxsecret" not in printed + str(report)
    assert "A text of a document" not in printed + str(report)
    assert "set in the environment: ANTHROPIC_API_KEY (of " in printed
    assert printed.rstrip().endswith("next: dvc repro")


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("pin: null", "no value for pin"),
        ("pin: ''", "no value for pin"),
        ("pin: [a]", "pin is ['a']: it must be text"),
        ("pin: 2024", "pin is 2024: it must be text"),
        ("pin: {a: b}", "pin is {'a': 'b'}: it must be text"),
        ("pin: data/none.jsonl\nepoch: 3", "unknown key epoch"),
    ],
)
def test_it_names_the_key_that_ends_everything_else(
    repository: Path, capsys: pytest.CaptureFixture[str], new: str, words: str
) -> None:
    path = repository / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("pin: data/none.jsonl", new), encoding="utf-8")
    printed = doctor(capsys)
    assert words in printed
    assert printed.rstrip().endswith("next: correct params.yaml")


def test_too_little_memory_or_disk_is_said() -> None:
    report: dict[str, Any] = {
        "versions": {"torch": None}, "machine": {"processor": "x", "cores": 2, "gpus": [], "arithmetic": "fp32"},
        "memory": {"available": 10, "needed": 11}, "disk": {"free": 10, "needed": 10},
        "environment": {"HF_TOKEN": False},
        "settings": {"error": "e"}, "stages": {"embed": "done"}, "cost": "free", "seconds": None, "next": "n",
    }  # fmt: skip
    lines = _text(report).splitlines()
    assert "torch not installed" in lines
    assert [line for line in lines if line.startswith("!")] == ["! too little memory"]
    assert "settings: e" in lines


@pytest.mark.parametrize(
    ("states", "command"),
    [(["done", "done"], "fieldtune serve"), (["done", "changed"], "dvc repro"), (["done", "never run"], "dvc repro")],
)
def test_the_next_command_goes_by_the_stages(states: list[str], command: str) -> None:
    assert _next({str(row): state for row, state in enumerate(states)}, {}) == command


def test_a_model_of_the_hub_that_is_not_here_is_downloaded_first(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(repository / "empty"))
    path = repository / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("model: minilm", "model: bge_small"), encoding="utf-8")
    printed = doctor(capsys)
    assert "settings: model BAAI/bge-small-en-v1.5, downloaded False, " in printed
    assert printed.rstrip().endswith("next: fieldtune use --model BAAI/bge-small-en-v1.5")
