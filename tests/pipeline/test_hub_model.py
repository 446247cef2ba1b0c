"""A base model from a hub: chosen by name, used by the pipeline, and downloaded again by a clone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import fake_hub
from tests.commands.fake_hub import COMMIT, Hub, Published
from tests.pipeline.repository import commit, dvc, edit, git, make, shell, stages_run

pytestmark = pytest.mark.pipeline

BGE = "BAAI/bge-small-en-v1.5"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that every command of the test finds in its environment, each machine with a cache of its own."""
    with fake_hub.running() as started:
        monkeypatch.setenv("HF_ENDPOINT", started.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield started


def test_a_model_by_name_is_embedded_with_here_and_in_a_clone(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = tmp_path / "team"
    team.mkdir()
    make(team)
    hub.published[BGE] = Published(fake_hub.files_below(team / "own/model"))
    tiny = {"max_tokens: 512": "max_tokens: 64", "dimension: 384": "dimension: 32"}
    edit(team / "conf/model/bge_small.yaml", tiny)
    edit(
        team / "params.yaml",
        {"model: path": "model: bge_small", "model_path: own/model": "model_path: data/none.jsonl"},
    )
    commit(team, "a model of the hub")
    refused = dvc(team, "repro", "compose", code=255)
    (command,) = re.findall(r"download it: (fieldtune use --model bge_small)$", refused, flags=re.MULTILINE)
    assert hub.requests == []
    assert f"model: bge_small ({BGE}, revision {COMMIT[:12]}" in shell(team, command)
    asked = len(hub.requests)
    assert stages_run(dvc(team, "repro", "embed"))[-1] == "embed"
    assert len(hub.requests) == asked
    commit(team, "its revision")
    git(tmp_path, "clone", "--quiet", str(team), "clone")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "another"))
    # compose has nothing to do here: the stage that needs the model downloads it.
    printed = dvc(tmp_path / "clone", "repro", "embed")
    assert "compose" not in stages_run(printed)
    assert f"downloading {BGE}, revision {COMMIT[:12]}" in printed
    assert len(hub.requests) > asked
    assert (tmp_path / "clone/data/vectors/weights.txt").read_text() == (team / "data/vectors/weights.txt").read_text()
