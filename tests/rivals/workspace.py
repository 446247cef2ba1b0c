"""A working directory in which the stage `rivals` can run: passages, judged queries, and rivals of the test's own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.models import encoder
from fieldtune.runtime import paths
from tests.tiny_model import WORDS

ROOT = Path(__file__).parents[2]
SECRET = WORDS[0]
PASSAGES, QUERIES = 24, 30
TEXTS = PASSAGES + QUERIES


def prepare(folder: Path, model: SentenceTransformer) -> None:
    """Write what the earlier stages leave, and the model as the rival folder `rivals/last_year`."""
    (folder / ".dvc").mkdir(parents=True)
    files.write_jsonl(folder / paths.PASSAGES, (_passage(number) for number in range(PASSAGES)))
    files.write_jsonl(
        folder / paths.QUERIES,
        (
            {"passage_id": f"doc{n % 6}.md#part-{n}", "query": _query(n), "kind": "task", "provider": "x"}
            for n in range(10)
        ),
    )
    real = [
        {"query": _query(n), "group": "test", "sections": [_section(n % PASSAGES)], "passages": [], "overlap": 0.5}
        for n in range(10, QUERIES)
    ]
    files.write_jsonl(folder / paths.REAL, real)
    rows = [("synthetic", f"q{n:06d}", n) for n in range(10)] + [("real", f"r{n - 10:06d}", n) for n in range(10, 30)]
    files.write_table(
        folder / paths.QRELS,
        {
            "set": [name for name, _, _ in rows],
            "query_id": [query for _, query, _ in rows],
            "section": [_section(n % PASSAGES) for *_, n in rows],
            "passage_id": [f"doc{n % 6}.md#part-{n % PASSAGES}" for *_, n in rows],
            "relevance": [1] * len(rows),
            "group": [n % PASSAGES for *_, n in rows],
        },
    )
    (folder / "rivals").mkdir()
    encoder.save(model, folder / "rivals/last_year")
    configure(folder)


def configure(folder: Path, **bases: dict[str, Any]) -> None:
    settings = {"rivals": "rivals", "bases": bases, "precision": "fp32", "batch_size": 8}
    files.write_text(folder / "data/config/rivals.yaml", yaml.safe_dump(settings))


def name_rivals(folder: Path, **rivals: Any) -> None:
    """Write rivals.yaml."""
    files.write_text(folder / "rivals/rivals.yaml", yaml.safe_dump(rivals, sort_keys=False))


def api(url: str, **changes: Any) -> dict[str, Any]:
    """An embeddings API of rivals.yaml, with quick waits."""
    usual = {"url": url, "model": "tiny-embed", "price": 1.0, "prices_date": "2026-11-24", "texts": 8, "attempts": 5}
    return {**usual, "backoff": 0.01, "timeout": 20, "query_prefix": "query: ", **changes}


def start(folder: Path) -> subprocess.Popen[str]:
    """The stage as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages.rivals"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def block(folder: Path) -> dict[str, Any]:
    """metrics.json of the stage."""
    values: dict[str, Any] = files.read_json(folder / paths.RIVALS_METRICS)
    return values


def _section(number: int) -> str:
    return f"doc{number % 6}.md#Part {number}"


def _passage(number: int) -> dict[str, Any]:
    words = [SECRET, *(WORDS[(7 * number + 11 * place) % 60] for place in range(number % 9 + 8))]
    return {
        "id": f"doc{number % 6}.md#part-{number}", "source": f"doc{number % 6}.md", "document": f"doc{number % 6}.md",
        "section": f"Part {number}", "title": f"Doc Part {number}", "text": " ".join(words),
        "section_sha256": f"{number:016x}",
    }  # fmt: skip


def _query(number: int) -> str:
    words = [WORDS[(7 * (number % PASSAGES) + 11 * place) % 60] for place in (1, 4, 6)]
    return f"{' '.join(words)} {WORDS[number]}"
