"""The pipeline's own stages on retrieval sets of other domains: does tuning help there, and is it ever worse?

    python -m benchmarks.domains <folder> … [--seeds 0 1 2] [--queries styled_queries.jsonl] [--set train.epochs=2 …]
        [--oracle] [--keep folder] [--gains file]

A `<folder>` is laid out as BEIR does it: corpus.jsonl, queries.jsonl and qrels.tsv or qrels/*.tsv; `sample` is the
repository's own. Its human queries are the test and nothing else: no real query chooses (`train.real_evidence: 0`).
Training queries are those of written_queries.jsonl (`query`, `passage_id`), or of the file that `--queries` names, if
the folder has it, the passages' key phrases otherwise. Queries of a file named styled_… imitate the human ones in
style_examples.json, which leave the test with all of their answers. Each set is run in a copy of this repository,
which is deleted unless `--keep`; seeds change the split, the mining and the training. A row is one run: NDCG@10 of the
human queries, the gain with its interval, what the run exports (the tuned model, or the base), and the verdict with the
human queries and without them. `--oracle` trains on one half of the human queries as well, split by their answers'
clusters, and says on the other half how much of its gain the tool's queries reach. `--gains` adds each run's gains,
query by query, to a file that `benchmarks.choice_rules` reads. A set of 2,000 passages takes ten minutes a seed on two
cores without bf16.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from fieldtune.corpus import beir, files
from fieldtune.corpus.style import Style, style_yaml
from fieldtune.models import encoder, tuned_model
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval.systems import LABELS, SYSTEMS
from fieldtune.runtime import paths
from fieldtune.runtime.settings import load
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.scores import SetScores, score
from stages.evaluate.verdict import Evidence, judge
from stages.train.config import TrainConfig
from stages.train.tuning import read_inputs
from tests.pipeline import repository

ONCE = ("ingest", "real", "generate", "embed")
EACH_SEED = ("dataset", "baseline", "train", "curve", "evaluate")
WRITTEN = "written_queries.jsonl"
STYLED, EXAMPLES = "styled_", "style_examples.json"
LOCKS = ("dvc.lock", "data/sample/dvc.lock")  # of the sample's run
HEADER = (
    f"| set, seed | queries | {' | '.join(LABELS.values())} | gain over base | exports | verdict | "
    "without human queries |\n" + "|---" * (6 + len(SYSTEMS)) + "|"
)


def copy_repository(folder: Path) -> None:
    """This repository's files as they are, committed or not, as a git repository of their own."""
    listed = repository.git(repository.ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in set(listed.split("\0")) - {"", *LOCKS}:
        source, target = repository.ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    repository.git(folder, "init", "--quiet")


def configure(folder: Path, documents: Path | None, pairs: Path | None, changes: Sequence[str]) -> None:
    """Point params.yaml at a set; None: the sample."""
    params = OmegaConf.load(folder / paths.PARAMS)
    places = {} if documents is None else {
        "documents": str(documents.resolve()),
        "queries": paths.NONE.as_posix(),
        "pairs": paths.NONE.as_posix(),
        "style": paths.NONE.as_posix(),
        "generator": "pairs" if pairs else "keyphrases",
    }  # fmt: skip
    if pairs:
        kind = {"kind": "styled"} if pairs.name.startswith(STYLED) else {}
        files.write_jsonl(folder / "pairs.jsonl", ({**row, **kind} for row in files.read_jsonl(pairs)))
        places["pairs"] = "pairs.jsonl"
        if kind:
            style = Style(files.read_json(pairs.with_name(EXAMPLES)), None)
            files.write_text(folder / "style.yaml", style_yaml(style))
            places["style"] = "style.yaml"
    OmegaConf.save(OmegaConf.merge(params, places, OmegaConf.from_dotlist(list(changes))), folder / paths.PARAMS)


def run(folder: Path, stages: Sequence[str]) -> None:
    for stage in stages:
        subprocess.run([sys.executable, "-m", f"stages.{stage}"], cwd=folder, stdout=sys.stderr, check=True)


def seeded(folder: Path, seed: int) -> None:
    """Write the seed into the settings of the stages that draw."""
    for stage in ("dataset", "train"):
        path = folder / paths.CONFIG / f"{stage}.yaml"
        OmegaConf.save(OmegaConf.merge(OmegaConf.load(path), {"seed": seed}), path)


def halves(documents: Path, folder: Path, groups: dict[str, int]) -> None:
    """In `folder` a set with one half of the human queries; the other half are its `written_queries.jsonl`.

    `groups`: each query's, of which none is in both halves.
    """
    answers: dict[str, list[str]] = {}
    for _, row in beir.rows(documents):
        if row["split"] == "test" and row.get("query") in groups:
            answers.setdefault(row["query"], []).append(row["passage_id"])
    order = sorted(set(groups.values()))
    random.Random(0).shuffle(order)
    first = set(order[::2])
    folder.mkdir(parents=True)
    shutil.copyfile(documents / beir.CORPUS, folder / beir.CORPUS)
    tested = sorted(query for query in answers if groups[query] not in first)
    files.write_jsonl(folder / "queries.jsonl", [{"id": str(n), "text": query} for n, query in enumerate(tested)])
    rows = [f"{number}\t{passage}\t1\n" for number, query in enumerate(tested) for passage in answers[query]]
    files.write_text(folder / "qrels.tsv", "query-id\tcorpus-id\tscore\n" + "".join(rows))
    learnt = [{"query": query, "passage_id": answers[query][0]} for query in sorted(answers) if groups[query] in first]
    files.write_jsonl(folder / WRITTEN, learnt)


@dataclass(frozen=True)
class Measured:
    """What a run measured and decided."""

    queries: list[str]  # the human ones
    groups: list[int]  # of each of them
    values: dict[str, Any]  # system → NDCG@10 [queries]
    scores: SetScores
    exports: str
    verdict: str
    verdict_on_generated: str  # without the human queries

    def row(self, name: str) -> str:
        gain = self.scores.lead("tuned", "base")
        cells = [
            name,
            f"{self.scores.n:,}",
            *(f"{self.scores.means[system]['ndcg@10']:.3f}" for system in SYSTEMS),
            f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})",
            self.exports,
            self.verdict,
            self.verdict_on_generated,
        ]
        return f"| {' | '.join(cells)} |"


def read(folder: Path) -> Measured:
    """What `evaluate` left in a repository."""
    with chdir(folder):
        config = load("evaluate", EvaluateConfig)
        table, metrics = files.read_table(paths.PER_QUERY), files.read_json(paths.METRICS)
        doubt = files.read_json(paths.MODEL / tuned_model.HISTORY)["chosen"]["doubt"]
    values = {
        system: {metric: np.array(table[f"{system}_{metric}"]) for metric in table_metrics(table)} for system in SYSTEMS
    }
    groups, kinds = np.array(table["group"]), np.array(table["kind"])

    def scored(rows: Any) -> SetScores:
        return score(values, np.flatnonzero(rows), groups, config)

    real, generated = (np.array([name in sets for sets in table["sets"]]) for name in ("real", "synthetic"))
    of_kinds = {str(kind): scored(generated & (kinds == kind)) for kind in sorted(set(kinds[generated]))}
    similarity = metrics["similarity_to_base"]
    return Measured(
        [query for query, is_real in zip(table["query"], real, strict=True) if is_real],
        groups[real].tolist(),
        {system: measured["ndcg@10"][real] for system, measured in values.items()},
        scored(real),
        "base" if similarity > UNCHANGED else "tuned",
        metrics["verdict"],
        judge(Evidence("synthetic", scored(generated), of_kinds, similarity, doubt), config).verdict,
    )


def dev_gains(folder: Path) -> dict[str, list[Any]]:
    """The tuned model's gains on the dev queries in NDCG@10, measured again, with each query's kind and cluster."""
    with chdir(folder):
        config = load("train", TrainConfig)
        inputs = read_inputs(config)
        after = inputs.evaluator.measure_model(encoder.load_folder(paths.MODEL))
    gains = after.values - inputs.before.values
    return {"gain": gains.round(6).tolist(), "kind": inputs.kinds, "cluster": inputs.judged.clusters.tolist()}


def gains_row(name: str, queries: str, seed: int, measured: Measured, folder: Path) -> dict[str, Any]:
    """A run's row in the file of gains."""
    test = {"gain": (measured.values["tuned"] - measured.values["base"]).round(6).tolist(), "cluster": measured.groups}
    return {"set": name, "queries": queries, "seed": seed, "test": test, "dev": dev_gains(folder)}


def table_metrics(table: dict[str, Any]) -> list[str]:
    return [name.removeprefix("base_") for name in table if name.startswith("base_")]


def reached(main: Measured, oracle: Measured) -> str:
    """How much of the gain that the other half of the human queries teach the tool's queries teach, too."""
    rows = [main.queries.index(query) for query in oracle.queries]
    gain = float((main.values["tuned"][rows] - main.values["base"][rows]).mean())
    most = float((oracle.values["tuned"] - oracle.values["base"]).mean())
    return f"trained on half of the human queries {most:+.3f} on the other half; as above {gain:+.3f} there"


def prepare(folder: Path, documents: Path | None, written: Path | None, changes: Sequence[str]) -> None:
    """A copy of this repository in which the stages that no seed changes have run."""
    copy_repository(folder)
    configure(folder, documents, written if written and written.is_file() else None, changes)
    run(folder, ["compose", *ONCE] if documents else ["compose", "sample", *ONCE])


def measure_seed(folder: Path, seed: int) -> Measured:
    seeded(folder, seed)
    run(folder, EACH_SEED)
    return read(folder)


def measure(name: str, arguments: argparse.Namespace, home: Path) -> Iterator[str]:
    """Rows of the table, as they are measured."""
    documents = None if name == "sample" else Path(name)
    changes = ["train.real_evidence=0", *arguments.set]
    folder = home / "repository"
    prepare(folder, documents, documents / arguments.queries if documents else None, changes)
    runs = []
    for seed in arguments.seeds:
        runs.append(measure_seed(folder, seed))
        if arguments.gains:
            row = gains_row(Path(name).name, arguments.queries, seed, runs[-1], folder)
            with arguments.gains.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if arguments.keep:
            shutil.copytree(folder / "data", home / f"data{seed}", symlinks=True)
        yield runs[-1].row(f"{Path(name).name}, {seed}")
    if arguments.oracle and documents:
        half = home / "half"
        halves(documents, half, dict(zip(runs[0].queries, runs[0].groups, strict=True)))
        prepare(home / "oracle", half, half / WRITTEN, changes)
        yield reached(runs[0], measure_seed(home / "oracle", arguments.seeds[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", help="folders, or `sample`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--queries", default=WRITTEN, help=f"file of training queries (default: {WRITTEN})")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--oracle", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the copies, and each seed's data/")
    parser.add_argument("--gains", type=Path)
    arguments = parser.parse_args()
    print(HEADER, flush=True)
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as temporary:
            home = (arguments.keep or Path(temporary)) / Path(name).name
            for line in measure(name, arguments, home):
                print(line, flush=True)


if __name__ == "__main__":
    main()
