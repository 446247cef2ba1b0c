"""How fast the stage `ingest` reads and cuts documents.

    python -m benchmarks.ingest [--kind md pdf docx] [--files 10000] [--megabytes 1000]

Writes Markdown files of that size altogether, or PDF or Word files of the same text (headings, paragraphs, lists,
tables, code; words by Zipf's law), runs the stage on them, then again with one file changed; prints seconds, files/s,
MB/s and the stage's memory (the largest of its processes).

Measured with 200 files of 20 MB on two cores, one of which did other work: 59.5 s (3.4 files/s, 0.34 MB/s), 192 MB;
2.5 s with one file changed. The made-up words have two to three times the tokens of real ones: 44,186 passages.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fieldtune.corpus import files
from fieldtune.runtime import paths
from stages.compose.compose import compose, stage_yaml
from tests.ingest import made_files

_ROOT = Path(__file__).parents[1]
_WORDS = 20_000


def document(draw: random.Random, words: list[str], weights: list[float], size: int) -> str:
    """Markdown of about `size` characters."""
    parts = [f"# {' '.join(draw.choices(words, cum_weights=weights, k=3)).title()}\n"]
    length = 0
    while length < size:
        sample = draw.choices(words, cum_weights=weights, k=140)
        sentences = [" ".join(sample[start : start + 14]).capitalize() + "." for start in range(0, 140, 14)]
        kind = draw.randrange(8)
        if kind == 0:
            part = f"## {' '.join(sample[:4]).title()}\n"
        elif kind == 1:
            part = "\n".join(f"- {sentence}" for sentence in sentences[:5]) + "\n"
        elif kind == 2:
            lines = [f"| {sample[i]} | {sample[i + 1]} | {sample[i + 2]} |" for i in range(0, 30, 3)]
            part = "\n".join(["| a | b | c |", "|---|---|---|", *lines]) + "\n"
        elif kind == 3:
            part = "```\n" + "\n".join(f"{sample[i]} = {sample[i + 1]}" for i in range(0, 20, 2)) + "\n```\n"
        else:
            part = " ".join(sentences) + "\n"
        parts.append(part)
        length += len(part)
    return "\n".join(parts)


def as_kind(text: str, kind: str) -> bytes:
    """Markdown as a file of this kind."""
    lines = [line for line in text.split("\n") if line]
    if kind == "pdf":
        wrapped = [part for line in lines for part in textwrap.wrap(line, 90)]
        return made_files.pdf([wrapped[start : start + 50] for start in range(0, len(wrapped), 50)])
    if kind == "docx":
        styled = ((line.lstrip("# "), f"heading{line.count('#')}" if line.startswith("#") else "") for line in lines)
        return made_files.docx("".join(made_files.word(words, style) for words, style in styled))
    return text.encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", nargs="+", choices=["md", "pdf", "docx"], default=["md"])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=1000)
    arguments = parser.parse_args()
    for kind in arguments.kind:
        print(json.dumps(measure(kind, arguments.files, arguments.megabytes)), flush=True)


def measure(kind: str, count: int, size_in_all: float) -> dict[str, Any]:
    """Time the stage on files of a kind, of `size_in_all` megabytes of text."""
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlucm", k=draw.randint(2, 10))) for _ in range(_WORDS)]
    weights = list(accumulate(1 / (rank + 10) for rank in range(_WORDS)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".dvc").mkdir()
        config = compose(_ROOT / paths.PARAMS, _ROOT / paths.CONF)
        config.ingest.documents = "docs"
        files.write_text(folder / paths.CONFIG / "ingest.yaml", stage_yaml(config, "ingest"))
        size = int(size_in_all * 1e6 / count)
        for number in range(count):
            path = folder / f"docs/{number // 100}/{number}.{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_kind(document(draw, words, weights, size), kind))
        megabytes = files.disk_size(folder / "docs") / 1e6
        first = _seconds(folder)
        passages = OmegaConf.load(folder / paths.PASSAGES_REPORT).passages
        (folder / f"docs/0/0.{kind}").write_bytes(as_kind(document(draw, words, weights, size), kind))
        again = _seconds(folder)
    return {
        "kind": kind,
        "files": count,
        "megabytes": round(megabytes, 1),
        "passages": passages,
        "seconds": round(first, 1),
        "files_per_second": round(count / first, 1),
        "megabytes_per_second": round(megabytes / first, 2),
        "seconds_with_one_changed": round(again, 1),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


def _seconds(folder: Path) -> float:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "stages.ingest"],
        cwd=folder,
        env={"PYTHONPATH": str(_ROOT), "PATH": ""},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


if __name__ == "__main__":
    main()
