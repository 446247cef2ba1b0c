"""examples/tour.ipynb as a person runs it, on documents of the test's own; nothing leaves the machine meanwhile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pyarrow.parquet as pq
import pytest
from sentence_transformers import SentenceTransformer

from scripts.tour import NOTEBOOK, SOURCE, exported
from tests.imports import ROOT
from tests.pipeline import repository

pytestmark = pytest.mark.integrations

QUESTION = "duplicate a bucket to another region"
PARAMETERS = f"""
DOCUMENTS = "own/docs"
QUERIES = "own/real.csv"
QUESTION = "{QUESTION}"
"""
# Python imports it as it starts, in the notebook, in DVC and in each stage: hosts that are asked for go into a file.
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    with open(os.environ["HOSTS"], "a") as file:
        file.write(f"{host}\\n")

sys.addaudithook(watch)
"""


def environment(folder: Path) -> dict[str, str]:
    """A person's environment in which each Python notes the hosts that it asks for, in `folder`/hosts."""
    (folder / "sitecustomize.py").write_text(WATCH)
    (folder / "hosts").touch()
    kept = {name: value for name, value in repository.environment().items() if not name.startswith("HF_")}
    return {
        **kept,
        "HOSTS": str(folder / "hosts"),
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "IPYTHONDIR": str(folder / "ipython"),
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, watched: Path) -> Path:
    """A team's repository in which the tour has run."""
    folder = tmp_path_factory.mktemp("team")
    repository.make(folder)
    repository.edit(folder / "conf/config.yaml", {"onnx: true": "onnx: false"})  # which nothing here reads
    document = nbformat.read(folder / NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in document.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = PARAMETERS
    nbformat.write(document, folder / NOTEBOOK)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.tour"],
        cwd=folder,
        env=environment(watched),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def outputs(notebook: Path) -> list[str]:
    """What the cells printed, of those that did; no progress bars, warnings or pictures."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert {output.get("name") for cell in cells for output in cell.outputs} == {"stdout"}
    return [cell.outputs[0].text for cell in cells if cell.outputs]


def test_the_tour_ends_with_a_verdict_and_the_nearest_passages(team: Path) -> None:
    *_, verdict, hits = outputs(team / NOTEBOOK)
    metrics = json.loads((team / "data/evaluation/metrics.json").read_text())
    assert verdict.splitlines()[0] == f"verdict: {metrics['verdict']}; run: {metrics['recommend']}"
    assert verdict.splitlines()[1] == "NDCG@10 on 60 real queries:"
    assert f"tuned        {metrics['real']['tuned']['ndcg@10']:.3f}" in verdict

    model = SentenceTransformer(str(team / "data/export/model"), device="cpu")
    table = pq.read_table(team / "data/export/vectors/passages.parquet")
    scores = np.stack(table["vector"].to_numpy()) @ model.encode_query(QUESTION)
    best = [table["id"][int(row)].as_py() for row in np.argsort(-scores)[:3]]
    assert [line.partition(" | ")[0] for line in hits.splitlines()] == best


def test_the_tour_names_the_export_that_its_outputs_are_of(team: Path) -> None:
    assert nbformat.read(team / NOTEBOOK, as_version=4).metadata[SOURCE] == exported(team / "dvc.lock")


def test_nothing_left_the_machine(team: Path, watched: Path) -> None:
    hosts = set((watched / "hosts").read_text().splitlines())
    assert hosts <= {"127.0.0.1", "::1", "localhost"}


def test_what_leaves_the_machine_would_be_noted(tmp_path: Path) -> None:
    # The name is a number already, so that nobody is asked for it.
    program = "import socket; socket.getaddrinfo('192.0.2.1', 80, flags=socket.AI_NUMERICHOST)"
    subprocess.run([sys.executable, "-c", program], env=environment(tmp_path), check=True)
    assert (tmp_path / "hosts").read_text() == "192.0.2.1\n"
