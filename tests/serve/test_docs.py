"""What docs/serving.md says of the service, as it stands there, against the service."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests import pages
from tests.serve.running import Running, cosines

URL, MODEL = "http://127.0.0.1:8000", "data/export/model"
TEXT = "word1 word2 word3"
# By the package that a block imports: how what it leaves behind is asked for a vector.
ASK: dict[str, Callable[[dict[str, Any]], tuple[str, Any]]] = {
    "openai": lambda names: ("document", names["vectors"][0].embedding),
    "langchain_openai": lambda names: ("document", names["embeddings"].embed_query(TEXT)),
    "llama_index": lambda names: ("document", names["embeddings"].get_query_embedding(TEXT)),
    "haystack": lambda names: ("query", names["embedder"].run(text=TEXT)["embedding"]),
    "sentence_transformers": lambda names: ("query", names["model"].encode_query(TEXT)),
}
SECTION = pages.section("docs/serving.md", "## Serve the export")
PARTS = re.findall(r"^```python\n(.*?)^```", SECTION, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # clients that their packages never close
@pytest.mark.parametrize("package", ASK)
def test_each_swap_gives_the_models_vectors(
    service: Running, export: Path, model: SentenceTransformer, package: str
) -> None:
    (part,) = [part for part in PARTS if part.startswith(f"from {package}")]
    assert URL in part or MODEL in part
    names: dict[str, Any] = {}
    exec(part.replace(URL, service.url).replace(MODEL, str(export / "model")), names)
    kind, got = ASK[package](names)
    text = "a passage" if package == "openai" else TEXT
    expected = {"query": model.encode_query, "document": model.encode_document}[kind]([text])
    assert cosines(np.array([got], dtype=np.float32), np.asarray(expected)).min() >= 0.9999


def test_every_part_is_tested() -> None:
    assert [re.split(r"[ .]", part)[1] for part in PARTS] == list(ASK)


def test_each_request_is_answered(service: Running) -> None:
    lines = [line for line in pages.commands("docs/serving.md") if line.startswith("curl ")]
    assert len(lines) == 2
    for line in lines:
        _, address, _, body = shlex.split(line)
        reply = service.client.post(address.removeprefix(URL.removeprefix("http://")), content=body)
        assert reply.status_code == 200, reply.text
        assert reply.json()["data"]
        assert json.loads(body)
