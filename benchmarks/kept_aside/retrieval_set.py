"""Where the sets come from and how they are written: a file of a git directory, and a folder as BEIR lays it out."""

import argparse
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fieldtune.corpus import files


@dataclass(frozen=True)
class RetrievalSet:
    corpus: Sequence[Mapping[str, str]]  # id, title, text
    queries: Sequence[Mapping[str, str]]  # id, text
    relevant: Mapping[str, Sequence[str]]  # the passages' ids by the query's id


def places(description: str | None) -> tuple[Path, Path]:
    """The git directory and the folder to write, from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("git_directory", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    return arguments.git_directory, arguments.out


def file_at(git_directory: Path, commit: str, path: str) -> bytes:
    """The contents of `path` at `commit`. Raises CalledProcessError where the snapshot lacks it."""
    command = ["git", "--git-dir", str(git_directory), "show", f"{commit}:{path}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def squashed(text: str) -> str:
    return " ".join(text.split())


def write(made: RetrievalSet, folder: Path) -> None:
    """corpus.jsonl, queries.jsonl and qrels.tsv below `folder`, whole or not at all; prints how many there are."""
    with files.replace_dir(folder) as temporary:
        files.write_jsonl(temporary / "corpus.jsonl", made.corpus)
        files.write_jsonl(temporary / "queries.jsonl", made.queries)
        lines = [f"{query['id']}\t{passage}\t1" for query in made.queries for passage in made.relevant[query["id"]]]
        files.write_text(temporary / "qrels.tsv", "\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    words = sorted(len(passage["text"].split()) for passage in made.corpus)
    print(f"passages: {len(words)} (words: min {words[0]}, median {words[len(words) // 2]}, max {words[-1]})")
    several = sum(len(made.relevant[query["id"]]) > 1 for query in made.queries)
    print(f"queries: {len(made.queries)}, qrels: {len(lines)}, queries with more than one relevant passage: {several}")
