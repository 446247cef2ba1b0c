"""Rivals under the real DVC: what a change reruns, and what a colleague's clone buys."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldtune.corpus import files
from fieldtune.models import encoder
from stages.rivals.vectors import BOUGHT
from tests.pipeline import repository
from tests.pipeline.repository import commit, dvc, edit, git, stages_run
from tests.rivals import fake_embeddings, workspace
from tests.rivals.fake_embeddings import Fake

pytestmark = pytest.mark.pipeline


def name_rivals(folder: Path, **rivals: Any) -> None:
    files.write_text(folder / "rivals/rivals.yaml", yaml.safe_dump(rivals, sort_keys=False))


def texts(folder: Path) -> int:
    """Passages and test queries."""
    real = [row["query"] for row in files.read_jsonl(folder / "data/real/queries.jsonl") if row["group"] == "test"]
    qrels = files.read_table(folder / "data/dataset/qrels.parquet")
    generated = {query for query, of in zip(qrels["query_id"], qrels["set"], strict=True) if of == "synthetic"}
    return len(list(files.read_jsonl(folder / "data/passages/passages.jsonl"))) + len(real) + len(generated)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Fake]]:
    """A repository with an API and a model as rivals, after `dvc repro rivals`."""
    folder = tmp_path_factory.mktemp("rivals")
    repository.make(folder)
    edit(folder / "params.yaml", {"rivals: data/none.jsonl": "rivals: rivals"})
    edit(folder / "conf/config.yaml", {"precision: auto #": "precision: fp32 #"})  # as the server computes
    shutil.copytree(folder / "own/model", folder / "rivals/last_year")
    with fake_embeddings.running(encoder.load_folder(folder / "own/model")) as server:
        name_rivals(folder, last_year={"folder": "last_year"}, bought=workspace.api(server.url))
        dvc(folder, "repro", "baseline", "rivals")
        commit(folder, "rivals")
        yield folder, server


@pytest.fixture
def server(ranked: tuple[Path, Fake]) -> Fake:
    return ranked[1]


@pytest.fixture
def team(ranked: tuple[Path, Fake], tmp_path: Path) -> Path:
    """A copy of the repository."""
    shutil.copytree(ranked[0], tmp_path / "team", symlinks=True)
    return tmp_path / "team"


def changed(folder: Path) -> set[str]:
    """The stages that DVC would run, of those that have run."""
    stages = ("compose", "ingest", "real", "generate", "embed", "dataset", "baseline", "rivals")
    return set(json.loads(dvc(folder, "status", "--json", *stages)))


def test_a_changed_rival_reruns_the_rivals_alone(team: Path, server: Fake) -> None:
    metrics = files.read_json(team / "data/rivals/metrics.json")
    base = files.read_json(team / "data/baseline/metrics.json")
    assert metrics["bought"]["real"] == metrics["last_year"]["real"] == base["real"]["base"]
    assert changed(team) == set()
    requests = server.requests
    name_rivals(team, last_year={"folder": "last_year"}, renamed=workspace.api(server.url))
    assert changed(team) == {"rivals"}
    assert "texts encoded" not in dvc(team, "repro", "rivals")
    weights = team / "rivals/last_year/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-2] ^= 0x40  # of the last number
    weights.write_bytes(bytes(content))
    assert changed(team) == {"rivals"}
    printed = dvc(team, "repro", "rivals")
    assert stages_run(printed) == ["rivals"]
    assert "rival last_year: " in printed
    assert server.requests == requests


def test_a_colleague_who_pulls_buys_nothing_even_if_a_document_is_added(team: Path, server: Fake) -> None:
    dvc(team, "remote", "add", "--default", "shared", str(team.parent / "remote"))
    dvc(team, "push")
    commit(team, "a remote")
    clone = team.parent / "clone"
    git(team.parent, "clone", "--quiet", str(team), str(clone))
    dvc(clone, "pull", "--with-deps", "rivals")
    assert (clone / BOUGHT).is_file()
    before = server.billed.total()
    dvc(clone, "repro", "--force", "--single-item", "rivals")
    assert server.billed.total() == before
    edit(clone / "own/docs/guide0.md", {"# Guide 0\n": "# Guide 0\n\n## One more\n\nA section that is new.\n"})
    dvc(clone, "repro", "rivals")
    assert server.billed.total() - before <= texts(clone) - texts(team) + 12  # the drawn test queries may be others
    assert server.billed.total() > before
