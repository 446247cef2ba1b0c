"""How much N real queries are worth as training data, alone and beside queries that a model wrote in their style.

    python -m benchmarks.real_queries <results.jsonl> <folder> … [--draws 0 1 2] [--counts 12 50 100 200]
        [--with alone styled] [--home folder] [--set train.epochs=2 …]
    python -m benchmarks.real_queries <results.jsonl> --table
    python -m benchmarks.real_queries <results.jsonl> --publish  # what docs/queries.md and `fieldtune judge` quote

A `<folder>` is laid out as for `benchmarks.domains`, with styled_queries.jsonl and style_examples.json. Its human
queries are dealt into two halves by their answers' clusters, another deal in each draw. One half is the test and
nothing else (`train.real_evidence: 0`); of the other, the first N queries in the draw's order are training data: as
`pairs:` alone, each with its first answer, of which the pipeline keeps a fifth or more for dev and a test of its own;
or as real queries of the split `train` beside the styled ones. So the queries of 12 are among those of 50. 0 of them
beside the styled ones is always run: what the others add is a gain over that.

Each cell (a folder, a draw, N, alone or styled) is one run of the pipeline, and a line of `<results.jsonl>` once it is
done; cells that are in the file are not run again, so that a killed run goes on where it was, and several may share the
work by --draws, --counts and --with. `--home` keeps what the runs of one folder share: documents that were read and
vectors. The table has the gain in NDCG@10 over the base model on the tested half: the mean over the draws, and their
standard deviation. A cell takes as long as a seed of `benchmarks.domains`.
"""

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks import domains
from fieldtune.corpus import beir, files, real_queries
from fieldtune.retrieval.judged_queries import row_of
from fieldtune.runtime import paths

COUNTS = (12, 50, 100, 200)
WITH = ("alone", "styled")
STYLED = f"{domains.STYLED}queries.jsonl"
HUMAN = "human_queries.jsonl"
FIRST = ("compose", "ingest", "real", "generate", "embed", "dataset")  # up to the clusters
ROOT = Path(__file__).parents[1]
QUOTED = Path("fieldtune/judging/worth.jsonl")
DOCS = Path("docs/queries.md")
BEGIN, END = "<!-- worth -->", "<!-- /worth -->"  # around the table in DOCS
_GROUPS = "groups.json"


@dataclass(frozen=True)
class Cell:
    """One run: `human` queries of the half that may be learnt from, alone or beside the styled ones."""

    set: str
    draw: int
    human: int
    beside: str  # one of WITH


@dataclass(frozen=True)
class Halves:
    """The human queries of a draw, with their answers' ids."""

    tested: Mapping[str, Sequence[str]]
    learnt: Mapping[str, Sequence[str]]  # in the order in which they are taken


def deal(answers: Mapping[str, Sequence[str]], groups: Mapping[str, int], draw: int) -> Halves:
    """Deal the queries of `groups`, each query's cluster of answers, into halves of whole clusters."""
    drawn = random.Random(draw)
    order = sorted(set(groups.values()))
    drawn.shuffle(order)
    first = set(order[::2])
    known = sorted(query for query in answers if query in groups)
    learnt = [query for query in known if groups[query] in first]
    drawn.shuffle(learnt)
    tested = {query: answers[query] for query in known if groups[query] not in first}
    return Halves(tested, {query: answers[query] for query in learnt})


def cells(name: str, arguments: argparse.Namespace) -> list[Cell]:
    """All cells of a set, those of a draw together."""
    made = []
    for draw in arguments.draws:
        for beside in arguments.beside:
            counts = ([0] if beside == "styled" else []) + arguments.counts
            made += [Cell(name, draw, human, beside) for human in counts]
    return made


def write_set(documents: Path, folder: Path, halves: Halves, cell: Cell) -> Path:
    """Write a BEIR folder with the cell's queries; returns the file of its pairs, in it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "qrels").mkdir(parents=True)
    shutil.copyfile(documents / beir.CORPUS, folder / beir.CORPUS)
    learnt = dict(list(halves.learnt.items())[: cell.human])
    sides = {"test": halves.tested} | ({"train": learnt} if cell.beside == "styled" else {})
    ids = {query: f"q{number}" for number, query in enumerate([*halves.tested, *halves.learnt])}
    files.write_jsonl(folder / "queries.jsonl", ({"_id": name, "text": query} for query, name in ids.items()))
    for side, queries in sides.items():
        rows = [f"{ids[query]}\t{passage}\t1\n" for query, passages in queries.items() for passage in passages]
        files.write_text(folder / f"qrels/{side}.tsv", "query-id\tcorpus-id\tscore\n" + "".join(rows))
    if cell.beside == "styled":
        for name in (STYLED, domains.EXAMPLES):
            shutil.copyfile(documents / name, folder.parent / name)
        return folder.parent / STYLED
    pairs = folder.parent / HUMAN
    # One each: the data set drops a query that was written for two passages.
    files.write_jsonl(pairs, ({"query": query, "passage_id": passages[0]} for query, passages in learnt.items()))
    return pairs


def human_queries(documents: Path) -> dict[str, list[str]]:
    """The human queries of a BEIR folder with the ids of their answers."""
    answers: dict[str, list[str]] = {}
    for _, row in beir.rows(documents):
        if row["split"] == "test" and "query" in row:
            answers.setdefault(" ".join(row["query"].split()), []).append(row["passage_id"])
    return answers


def prepare(home: Path, documents: Path, changes: Sequence[str]) -> dict[str, int]:
    """A copy of this repository at home/repository, and the cluster of each human query that may be dealt.

    Those that style leaves out of the test, with their answers, are in no half.
    """
    groups = home / _GROUPS
    if not groups.is_file():
        repository = home / "repository"
        shutil.rmtree(repository, ignore_errors=True)
        repository.mkdir(parents=True)
        domains.copy_repository(repository)
        domains.configure(repository, documents, documents / STYLED, changes)
        domains.run(repository, FIRST)
        with chdir(repository):
            queries, qrels = real_queries.read(), files.read_table(paths.QRELS)
        rows = zip(qrels["set"], qrels["query_id"], qrels["group"], strict=True)
        files.write_json(groups, {queries[row_of(name)].query: group for side, name, group in rows if side == "real"})
    read: dict[str, int] = files.read_json(groups)
    return read


def measure(cell: Cell, home: Path, documents: Path, halves: Halves, changes: Sequence[str]) -> dict[str, Any]:
    """Run the pipeline for a cell; returns its line of the results."""
    began = time.monotonic()
    repository = home / "repository"
    pairs = write_set(documents, home / "cell/documents", halves, cell)
    domains.configure(repository, home / "cell/documents", pairs, changes)
    domains.run(repository, ["compose", *domains.ONCE])
    measured = domains.measure_seed(repository, cell.draw)
    gain = measured.scores.lead("tuned", "base")
    means = {system: measured.scores.means[system]["ndcg@10"] for system in ("base", "bm25", "tuned")}
    return {
        **asdict(cell),
        "tested": measured.scores.n,
        **means,
        "gain": round(gain.mean, 6),
        "low": round(gain.low, 6) if gain.known else None,
        "high": round(gain.high, 6) if gain.known else None,
        "exports": measured.exports,
        "verdict": measured.verdict,
        "seconds": round(time.monotonic() - began),
    }


def results(path: Path) -> list[dict[str, Any]]:
    return list(files.read_jsonl(path)) if path.is_file() else []


def means(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mean gain over the draws of each set, number of human queries, and kind of training data."""
    gains: dict[tuple[str, str, int], list[float]] = {}
    for row in rows:
        gains.setdefault((row["set"], row["beside"], row["human"]), []).append(row["gain"])
    return [
        {
            "set": name,
            "beside": beside,
            "human": human,
            "draws": len(drawn),
            "gain": round(fmean(drawn), 4),
            "deviation": round(stdev(drawn), 4) if len(drawn) > 1 else None,
        }
        for (name, beside, human), drawn in sorted(gains.items())
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """`means` in Markdown: a line per set and kind of training data, a column per number of human queries."""
    if not rows:
        return ""
    counts = sorted({row["human"] for row in rows})
    of_line: dict[tuple[str, str], dict[int, str]] = {}
    for row in rows:
        spread = f" ± {row['deviation']:.3f}" if row["deviation"] is not None else ""
        of_line.setdefault((row["set"], row["beside"]), {})[row["human"]] = f"{row['gain']:+.3f}{spread}"
    lines = [f"| set | human queries | {' | '.join(map(str, counts))} |", "|---" * (len(counts) + 2) + "|"]
    for (name, beside), cells in of_line.items():
        words = {"alone": "alone", "styled": "beside styled ones"}[beside]
        lines.append(f"| {name} | {words} | {' | '.join(cells.get(count, '') for count in counts)} |")
    return "\n".join(lines)


def publish(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `means` where `fieldtune judge` reads them, and as the table of the docs."""
    files.write_jsonl(ROOT / QUOTED, rows)
    before, _, rest = (ROOT / DOCS).read_text(encoding="utf-8").partition(BEGIN)
    files.write_text(ROOT / DOCS, f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{rest.partition(END)[2]}")


def measure_set(documents: Path, home: Path, arguments: argparse.Namespace) -> None:
    """Run the cells of a set that are not in the results."""
    done = {Cell(*(row[name] for name in Cell.__dataclass_fields__)) for row in results(arguments.results)}
    todo = [cell for cell in cells(documents.name, arguments) if cell not in done]
    if not todo:
        return
    changes = ["train.real_evidence=0", *arguments.set]
    answers, groups = human_queries(documents), prepare(home, documents, changes)
    for cell in todo:
        halves = deal(answers, groups, cell.draw)
        if len(halves.learnt) < cell.human:
            print(
                f"{cell.set}, draw {cell.draw}: {len(halves.learnt)} queries to learn from, not {cell.human}",
                flush=True,
            )
            continue
        row = measure(cell, home, documents, halves, changes)
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSONL, a line per cell; appended to")
    parser.add_argument("sets", type=Path, nargs="*", help="folders")
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--with", dest="beside", nargs="+", choices=WITH, default=list(WITH))
    parser.add_argument("--home", type=Path, help="a folder for what the runs share (default: a temporary one)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--table", action="store_true", help="print the table of the results, and run nothing")
    parser.add_argument("--publish", action="store_true", help="the same, and put it into docs and judging page")
    arguments = parser.parse_args()
    if not arguments.table and not arguments.publish:
        with tempfile.TemporaryDirectory() as temporary:
            for documents in arguments.sets:
                measure_set(documents, (arguments.home or Path(temporary)) / documents.name, arguments)
    rows = means(results(arguments.results))
    if arguments.publish:
        publish(rows)
    print(table(rows))


if __name__ == "__main__":
    main()
