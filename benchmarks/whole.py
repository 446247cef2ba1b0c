"""A whole `dvc repro` of the sample: its seconds by stage, and in each stage by part.

    python -m benchmarks.whole [--set train.epochs=1 …] [--keep folder]

Runs in a new copy of this repository with an empty store, under py-spy (`pip install py-spy==0.4.3`), which
looks at every process 25 times a second. A sample of a main thread counts for the first part below whose frame it has.
"""

import argparse
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.domains import configure, copy_repository

RATE = 25  # samples per second
PARTS = {  # name: a pattern of frames, the innermost concern first
    "imports": r"importlib\._bootstrap",
    "loading models": r"\b(?:load_base|load_folder)\b",
    "memory plan": r"\b_choose_plan\b",
    "dev": r"DevEvaluator|stages/train/dev\.py",
    "encoding": r"\b(?:encode|encode_rows|tokenize)\b",
    "steps": r"\b_run \(stages/train/trainer\.py",
    "int8 and its checks": r"stages/export/int8",
    "ONNX": r"onnx",
    "ranking": r"fieldtune/retrieval/(?:ranking|bm25|exported_search|near_duplicates|hard_negatives)\.py",
    "intervals": r"fieldtune/retrieval/significance\.py|bootstrap",
    "reading and writing": r"fieldtune/corpus/(?:files|vectors)\.py|safetensors|kept_vectors\.py",
}
MAIN_THREAD = re.compile(r'(?:process \d+:"[^"]*";)*process (?P<pid>\d+):"(?P<process>[^"]*)";thread \((?P=pid)\)')
STAGE = re.compile(r"-m stages\.(\w+)")


def samples(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Process, stack and number of samples, of main threads, out of py-spy's raw format: a stack of processes, the
    outermost first, then of frames.
    """
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if match := MAIN_THREAD.match(stack):
            yield match["process"], stack[match.end() :], int(count)


def part(stack: str) -> str:
    return next((name for name, pattern in PARTS.items() if re.search(pattern, stack)), "everything else")


def seconds(lines: Iterable[str]) -> dict[str, Counter[str]]:
    """Seconds by stage and part. DVC's own processes are the stage `dvc`, while none of the others runs."""
    stages: dict[str, Counter[str]] = {}
    for process, stack, count in samples(lines):
        name = stage[1] if (stage := STAGE.search(process)) else "dvc" if "dvc" in process else None
        if name is None or (name == "dvc" and re.search(r"\bcmd_run|\b_run \(dvc/stage/run\.py", stack)):
            continue  # DVC waits for a stage
        stages.setdefault(name, Counter())["DVC" if name == "dvc" else part(stack)] += count
    return {name: Counter({key: count / RATE for key, count in parts.items()}) for name, parts in stages.items()}


def table(stages: dict[str, Counter[str]]) -> Iterator[str]:
    """Rows of Markdown: each stage with its parts of half a second or more."""
    yield "| stage | seconds | of which |\n|---|---|---|"
    for name, parts in stages.items():
        shown = [f"{key} {value:.1f}" for key, value in parts.most_common() if value >= 0.5]
        yield f"| {name} | {parts.total():.0f} | {', '.join(shown)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="a folder for the copy")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary, "repository")
        copy_repository(folder)
        configure(folder, None, None, arguments.set)
        subprocess.run(["dvc", "init", "--quiet", "--force"], cwd=folder, check=True)
        raw = Path(temporary, "samples.raw")
        spy = ["py-spy", "record", "--subprocesses", "--idle", "--threads", "--format", "raw", "--rate", str(RATE)]
        started = time.perf_counter()
        subprocess.run([*spy, "--output", str(raw), "--", "dvc", "repro"], cwd=folder, check=True)
        took = time.perf_counter() - started
        with raw.open(encoding="utf-8") as lines:
            print(*table(seconds(lines)), f"\n`dvc repro`: {took:.0f} s", sep="\n")


if __name__ == "__main__":
    main()
