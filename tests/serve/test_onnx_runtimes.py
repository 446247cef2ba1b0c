"""The ONNX files of the export in transformers.js and in optimum, the real packages: alone, and as on the Hub."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests.serve.running import Vectors, cosines

pytestmark = pytest.mark.integrations
CLIENTS = Path(__file__).parent / "clients"
TRANSFORMERS_JS = "@huggingface/transformers@4.3.2"
# What optimum needs and this project has in another version; the rest is this project's.
OPTIMUM = (
    *("optimum-onnx==0.1.0", "optimum==2.1.0"),
    *("transformers==4.57.6", "tokenizers==0.22.2", "huggingface_hub==0.36.2"),
)
TEXTS = ["word1", "word5 word7 word9 unknown word2 word2", " ".join(f"word{i}" for i in range(60))]


@pytest.fixture(scope="module", params=["alone", "hub"])
def folder(request: pytest.FixtureRequest, export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """onnx/ with nothing beside it, or below the model's files, as `fieldtune push` lays them out."""
    place = tmp_path_factory.mktemp("runtimes")
    if request.param == "alone":
        return Path(shutil.copytree(export / "onnx", place / "onnx"))
    shutil.copytree(export / "model", place / "hub")
    shutil.copytree(export / "onnx", place / "hub/onnx")
    return place / "hub"


@pytest.fixture(scope="module")
def node(request: pytest.FixtureRequest) -> Path:
    """A folder with transformers.js, installed once, and the script."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine: apt-get install {program.replace('node', 'nodejs')}")
    place = request.config.cache.mkdir(TRANSFORMERS_JS.rpartition("/")[2])
    if not (place / "done").exists():
        # Without scripts: onnxruntime's would get its files for GPUs from elsewhere.
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)]
        subprocess.run([*command, TRANSFORMERS_JS], check=True)
        (place / "done").touch()
    return place


@pytest.fixture(scope="module")
def optimum(request: pytest.FixtureRequest) -> Path:
    """A folder with optimum and the versions that it needs, installed once, for PYTHONPATH."""
    place = request.config.cache.mkdir("-".join(OPTIMUM[:1]))
    if not (place / "done").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(place)]
        subprocess.run([*command, *OPTIMUM], check=True)
        (place / "done").touch()
    return place


def rows(command: Sequence[str | Path], environment: Mapping[str, str]) -> Vectors:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout.splitlines()[-1]), dtype=np.float32)


def prompted(model: SentenceTransformer) -> str:
    return json.dumps([f"{model.prompts['query']}{text}" for text in TEXTS])


@pytest.mark.parametrize(("dtype", "cosine"), [("fp32", 0.9999), ("q8", 0.97)])
def test_transformers_js(folder: Path, node: Path, model: SentenceTransformer, dtype: str, cosine: float) -> None:
    script = shutil.copy(CLIENTS / "feature_extraction.mjs", node)  # packages are looked for above the script
    inside = "" if folder.name == "onnx" else "onnx"
    vectors = rows(["node", script, folder.parent, folder.name, inside, dtype, prompted(model)], {})
    assert cosines(vectors, model.encode_query(TEXTS)).min() >= cosine


@pytest.mark.parametrize(("file", "cosine"), [("model.onnx", 0.9999), ("model_quantized.onnx", 0.97)])
def test_optimum(folder: Path, optimum: Path, model: SentenceTransformer, file: str, cosine: float) -> None:
    script = CLIENTS / "feature_extraction.py"
    command = [sys.executable, str(script), str(folder), file, prompted(model)]
    vectors = rows(command, {"PYTHONPATH": str(optimum), "HF_HUB_OFFLINE": "1"})
    assert cosines(vectors, model.encode_query(TEXTS)).min() >= cosine
