"""A working directory in which the stage `generate` can run, on passages and settings of the test's own."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fieldtune.corpus import files
from fieldtune.runtime import paths, stage
from fieldtune.runtime.settings import load
from stages.compose.compose import compose
from stages.generate.__main__ import work
from stages.generate.config import GenerateConfig, MessagesConfig
from stages.generate.store import Store

ROOT = Path(__file__).parents[2]
KEY = "the-secret-key"
SECRET = "zanzibar"  # a word of every passage, which no message may hold


def passages(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"doc.md#part-{number}",
            "source": "doc.md",
            "document": "doc.md",
            "section": f"Part {number}",
            "title": f"Doc Part {number}",
            "text": f"The {SECRET} of part {number} is opened with a lever. Then the lid is closed again by hand.",
            "section_sha256": f"{number:016x}",
        }
        for number in numbers
    ]


def configure(
    folder: Path,
    base_url: str,
    way: str = "claude",
    style: str = "none.jsonl",
    languages: Sequence[str] | None = None,
    **messages: Any,
) -> None:
    """Write the stage's settings: those of conf/generator/, with quick waits and what the test sets."""
    settings: Any = OmegaConf.structured(compose(ROOT / paths.PARAMS, ROOT / paths.CONF, {"generator": way}).generator)
    quick = {
        "backoff": 0.01,
        "attempts": 5,
        "timeout": 20,
        "batch": {"requests": 10_000, "megabytes": 64, "poll": 0.05},
    }
    changes = {**quick, "base_url": base_url, "user": "Doc: {title}\n{text}", **messages}
    settings.messages = OmegaConf.merge(settings.messages, changes)
    settings.languages = languages
    files.write_text(folder / "none.jsonl", "")
    path = folder / "data/config/generate.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(
        OmegaConf.create({"generator": settings, "pairs": "none.jsonl", "style": style, "passages": None, "seed": 0}),
        path,
    )


def prepare(folder: Path, base_url: str, numbers: Iterable[int], way: str = "claude", **messages: Any) -> None:
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    files.write_jsonl(folder / paths.PASSAGES, passages(numbers))
    configure(folder, base_url, way, **messages)


def messages_config() -> MessagesConfig:
    messages = load("generate", GenerateConfig).generator.messages
    assert messages
    return messages


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "ANTHROPIC_API_KEY": KEY, "COLUMNS": "200", **more}


def start(folder: Path, **more: str) -> subprocess.Popen[str]:
    """The stage as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "stages.generate"],
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, code: int = 0, key: str = KEY) -> str:
    """Run the stage in this process; what it printed, which never holds a passage's text or the key."""
    printed, status = io.StringIO(), 0
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv("ANTHROPIC_API_KEY", key)
        try:
            stage.run_stage("generate", work)
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            status = ended.code
    output = printed.getvalue()
    assert status == code, output
    assert SECRET not in output
    assert KEY not in output
    return output


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "data/queries").iterdir()}


def report(folder: Path) -> dict[str, Any]:
    counts: dict[str, Any] = files.read_json(folder / paths.QUERIES.with_name("report.json"))
    return counts


def covered(folder: Path) -> dict[str, int]:
    """The number of queries of each passage."""
    counts: dict[str, int] = {}
    for row in files.read_jsonl(folder / paths.QUERIES):
        counts[row["passage_id"]] = counts.get(row["passage_id"], 0) + 1
    return counts


def store(folder: Path) -> Store:
    return Store(folder / ".fieldtune/replies.sqlite")
