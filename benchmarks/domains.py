"""The whole pipeline on a retrieval set of another domain: does tuning help there, and more than BM25 does?

    python -m benchmarks.domains <folder> [--pairs written_queries.jsonl] [--set train.epochs=2 …] [--keep folder]

`<folder>` is laid out as BEIR does it: corpus.jsonl, queries.jsonl and qrels.tsv or qrels/*.tsv. Its own queries are
the test; training queries are the passages' key phrases, or with `--pairs` those of that file (`query`, `passage_id`).
Runs `dvc repro evaluate` in a copy of this repository with these places in params.yaml, and with what `--set` names;
the copy is deleted but for `--keep`, which names a folder for it. Prints NDCG@10 by query set, and the gain over the
base model with its interval. A set of 2,000 passages takes ten minutes on two cores without bf16.

NDCG@10 of the human queries, one seed:

    set                         base  BM25  hybrid  tuned  hybrid(tuned)  gain over base
    covidqa, written queries    .498  .717  .651    .583   .695           +.084 (+.058 to +.109)
    tatqa, key phrases          .643  .827  .768    .670   .770           +.027 (+.004 to +.050)
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from stages import files, paths
from tests.pipeline import repository

SYSTEMS = {"base": "base", "bm25": "BM25", "hybrid": "hybrid", "tuned": "tuned", "tuned_hybrid": "hybrid(tuned)"}
LOCKS = ("dvc.lock", "data/sample/dvc.lock")  # of the sample's run


def copy_repository(folder: Path) -> None:
    """This repository's files as they are, committed or not, as a git repository of their own."""
    listed = repository.git(repository.ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in set(listed.split("\0")) - {"", *LOCKS}:
        source, target = repository.ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    repository.git(folder, "init", "--quiet")


def configure(folder: Path, documents: Path, pairs: Path | None, changes: Sequence[str]) -> None:
    """Point params.yaml at the set. Places are absolute: DVC reads them where they lie, and copies nothing."""
    params = OmegaConf.load(folder / paths.PARAMS)
    places = {
        "documents": str(documents.resolve()),
        "queries": "data/none.jsonl",
        "pairs": str(pairs.resolve()) if pairs else "data/none.jsonl",
        "generator": "pairs" if pairs else "keyphrases",
    }
    OmegaConf.save(OmegaConf.merge(params, places, OmegaConf.from_dotlist(list(changes))), folder / paths.PARAMS)


def table(found: dict[str, Any], name: str) -> str:
    """The query sets of metrics.json in Markdown; `name` is the retrieval set's."""
    lines = [f"| {name} | {' | '.join(SYSTEMS.values())} | gain over base |", f"|{'---|' * (len(SYSTEMS) + 2)}"]
    for title, block in found.items():
        if isinstance(block, dict) and "gain" in block:
            n, gain = block["n"], block["gain"]["vs_base"]["ndcg@10"]
            scores = [f"{block[system]['ndcg@10']:.3f}" for system in SYSTEMS]
            interval = f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
            lines.append(f"| {' | '.join([f'{title} ({n:,})', *scores, interval])} |")
    return "\n".join([*lines, "", f"verdict: {found['verdict']}; recommended: {found['recommend']}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        copy_repository(folder)
        configure(folder, arguments.folder, arguments.pairs, arguments.set)
        command = ["dvc", "repro", "evaluate"]
        subprocess.run(command, cwd=folder, env=repository.environment(), stdout=sys.stderr, check=True)
        print(table(files.read_json(folder / paths.METRICS), arguments.folder.resolve().name))


if __name__ == "__main__":
    main()
