"""A pipeline with the model that comes with the package asks nothing of a network, from the documents to the export."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.repository import dvc, edit, environment, make, stages_run
from tests.pipeline.test_dvc_yaml import STAGES

pytestmark = pytest.mark.pipeline

# In each Python process of the pipeline: write down what is connected to, or looked up by name.
WITNESS = """
import os
import sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        where = arguments[0] if event.startswith("socket.get") else arguments[1]
        if not isinstance(where, (str, bytes)) or event.startswith("socket.get"):  # otherwise a Unix socket
            with open(os.environ["WITNESS"], "a") as file:
                file.write(f"{event} {where}\\n")

sys.addaudithook(note)
"""


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which processes of the test write down what they ask of a network."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "witness").mkdir()
    (tmp_path / "witness/sitecustomize.py").write_text(WITNESS)
    path = [str(tmp_path / "witness"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("WITNESS", str(tmp_path / "asked.txt"))
    return tmp_path / "asked.txt"


def test_the_witness_sees_a_connection(witness: Path) -> None:
    code = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/', timeout=5)"
    subprocess.run([sys.executable, "-c", code], env=environment(), check=False, capture_output=True)
    assert "socket.connect ('127.0.0.1', 9)" in witness.read_text()


def test_minilm_is_trained_evaluated_and_exported_without_a_network(witness: Path, tmp_path: Path) -> None:
    team = tmp_path / "team"
    team.mkdir()
    make(team)
    edit(
        team / "params.yaml",
        {
            "model: path": "model: minilm",
            "model_path: own/model": "model_path: data/none.jsonl",
            "epochs: 30 ": "epochs: 1 ",
        },
    )
    assert stages_run(dvc(team, "repro")) == list(STAGES)
    assert (team / "data/export/onnx/model.onnx").is_file()
    assert not witness.exists(), witness.read_text()
