"""What each rule of the data set is worth: the sample trained without it, or with another, over several seeds.

    dvc repro
    python -m benchmarks.dataset_rules [--seeds 3] [--part pair_split …] [--passages 840] [--json file] [--keep folder]

Prints NDCG@10 of the tuned model, mean ± standard deviation over the seeds, and what it gains more over the base
model than with the rules as they are, paired by seed. In temporary folders it runs the stages `dataset` and `train`
on what `dvc repro` left in data/ (passages, queries, real queries, vectors) and scores with the stages' functions. A
run is one epoch over so many of the 840 passages with recorded queries (drawn by hash).
With `--keep` finished runs are kept there and not repeated, as long as inputs and settings are the same; after a
change of the code, name another folder.

Measured with `--passages 420` on two cores without bf16: 15 runs in 36 minutes, two at a time with one thread each,
three of a rule that has been removed since; the table stands in docs/results.md.

Real queries are the same in all runs. Generated ones that are held out depend on the split, so the base model is
measured on them, too: the gain is what compares. `pair_split` draws them at random, as tutorials do, so that other
queries of their passages are trained on.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors
from fieldtune.models import encoder
from fieldtune.models.precision import use_bf16
from fieldtune.retrieval import judged_queries, metrics, ranking
from fieldtune.runtime import paths
from stages.compose.compose import compose, stage_yaml
from stages.compose.schema import Config
from stages.dataset.answers import find_copies

ROOT = Path(__file__).parents[1]
INPUTS = (paths.PASSAGES.parent, paths.REAL.parent, paths.QUERIES.parent, paths.VECTORS)
SIDES = ("train", "dev", "test")

Scores = dict[str, dict[str, float]]  # query set → `base` and `tuned` → NDCG@10


@dataclass(frozen=True)
class Variant:
    """What is not as params.yaml and conf/ have it, with the round trip at 100 and no hard negative."""

    dataset: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    pairs_at_random: bool = False


DEFAULT = "default"
VARIANTS = {
    DEFAULT: Variant(),
    "pair_split": Variant(pairs_at_random=True),
    "no_round_trip": Variant(dataset={"round_trip": 0}),
    "hard_negative": Variant(train={"negatives": 1}),
}


def prepare(folder: Path, config: Config, passages: int) -> None:
    """Write into `folder` everything that the two stages read; queries of so many passages."""
    files.write_text(folder / ".dvc/config", "")
    for path in (file for name in INPUTS for file in name.rglob("*") if file.is_file()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(path.resolve())
    queries = list(files.read_jsonl(paths.QUERIES))
    recorded = {query["passage_id"] for query in queries if query["provider"] == "recorded"}
    chosen = set(sorted(recorded, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:passages])
    rows = [
        row for row, query in enumerate(queries) if query["provider"] == "recorded" and query["passage_id"] in chosen
    ]
    # Written as a whole, which takes the place of the link.
    files.write_jsonl(folder / paths.QUERIES, (queries[row] for row in rows))
    for stage in ("dataset", "train"):
        files.write_text(folder / paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))


def run_stage(stage: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=sys.stderr,
        check=True,
    )


def split_at_random(config: Config) -> None:
    """Deal the pairs of the data set in the working directory out again, whatever their passages; the sizes stay."""
    pairs, ids = _all_sides(""), _all_sides("_ids")
    order = list(range(len(pairs["anchor"])))
    random.Random(config.dataset.seed).shuffle(order)
    dealt: dict[str, list[int]] = {}
    for side in SIDES:
        size = len(files.read_table(paths.DATASET / f"{side}.parquet")["anchor"])
        dealt[side], order = order[:size], order[size:]
        for suffix, columns in (("", pairs), ("_ids", ids)):
            chosen = {name: [column[row] for row in dealt[side]] for name, column in columns.items()}
            files.write_table(paths.DATASET / f"{side}{suffix}.parquet", chosen)

    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    section_of = corpus.section_of.tolist()
    vectors = read_vectors(paths.VECTORS, PASSAGES, corpus.texts)
    copies = find_copies(
        [p["text"] for p in passages], lambda rows: vectors[rows], corpus, config.dataset.near_duplicates
    )
    passage_row = {passage["id"]: row for row, passage in enumerate(passages)}
    before = files.read_table(paths.QRELS)
    names = ("set", "query_id", "section", "relevance", "group")
    judged = [row for row in zip(*(before[name] for name in names), strict=True) if row[0] in ("real", "real_hard")]
    for name, side in (("dev", "dev"), ("synthetic", "test")):
        for row in dealt[side]:
            passage = passage_row[ids["positive_id"][row]]
            own = section_of[passage]
            for section in sorted(copies.alike[own] | copies.holding[passage]):
                judged.append((name, ids["query_id"][row], corpus.sections[section], 1, own))
    files.write_table(paths.QRELS, dict(zip(names, map(list, zip(*judged, strict=True)), strict=True)))


def _all_sides(suffix: str) -> dict[str, list[Any]]:
    """The columns that all sides have (hard negatives may be fewer on one), one side after the other."""
    tables = [files.read_table(paths.DATASET / f"{side}{suffix}.parquet") for side in SIDES]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: [value for table in tables for value in table[name]] for name in shared}


def score(config: Config) -> Scores:
    """NDCG@10 of the base model and of the model in the working directory, on each query set."""
    corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    model = encoder.load_folder(paths.MODEL)
    bf16, batch_size = use_bf16(config.evaluate.precision), config.evaluate.batch_size
    queries = encoder.encode(model, judged.texts, "query", bf16=bf16, batch_size=batch_size)
    passages = encoder.encode(model, corpus.texts, "document", bf16=bf16, batch_size=batch_size)
    base_queries = read_vectors(paths.VECTORS, QUERIES, judged.texts)
    base_passages = read_vectors(paths.VECTORS, PASSAGES, corpus.texts)
    values = {
        "base": metrics.per_query(ranking.dense(base_queries, base_passages, corpus), judged.grades),
        "tuned": metrics.per_query(ranking.dense(queries, passages, corpus), judged.grades),
    }
    return {
        name: {system: metrics.means(measured, rows)["ndcg@10"] for system, measured in values.items()}
        for name, rows in judged.sets.items()
    }


def measure(name: str, seed: int, passages: int, keep: Path) -> dict[str, Any]:
    """Scores and the size of the data set of one run; from `keep` if it exists."""
    variant = VARIANTS[name]
    config = compose(paths.PARAMS, paths.CONF)
    config.dataset = replace(config.dataset, **{"seed": seed, "round_trip": 100, **variant.dataset})
    config.train = replace(config.train, **{"seed": seed, "epochs": 1, "negatives": 0, **variant.train})
    inputs = files.digest(*sorted(file for name in INPUTS for file in name.iterdir()))
    settings = [name, passages, *(stage_yaml(config, stage) for stage in ("dataset", "train", "evaluate"))]
    key = hashlib.sha256(json.dumps([inputs, *settings]).encode()).hexdigest()[:16]
    done = keep / f"{name}-{seed}-{key}.json"
    if not done.is_file():
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), config, passages)
            run_stage("dataset", Path(folder))
            with contextlib.chdir(folder):
                if variant.pairs_at_random:
                    split_at_random(config)
                run_stage("train", Path(folder))
                report = files.read_json(paths.DATASET_REPORT)
                sizes = {side: report[side]["pairs"] for side in SIDES}
                run = {"variant": name, "seed": seed, **sizes, "dropped": report["dropped"], "scores": score(config)}
        files.write_json(done, run)
    measured: dict[str, Any] = files.read_json(done)
    return measured


def summary(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each variant and query set the tuned and the base model's score and the gain over the default's, each as
    mean and standard deviation over the seeds.
    """
    gain = {
        (run["variant"], run["seed"], name): scores["tuned"] - scores["base"]
        for run in runs
        for name, scores in run["scores"].items()
    }
    rows = []
    for variant in dict.fromkeys(run["variant"] for run in runs):
        own = [run for run in runs if run["variant"] == variant]
        for name in own[0]["scores"]:
            more = [gain[variant, run["seed"], name] - gain[DEFAULT, run["seed"], name] for run in own]
            rows.append(
                {
                    "variant": variant,
                    "set": name,
                    **{s: _mean_and_deviation([run["scores"][name][s] for run in own]) for s in ("tuned", "base")},
                    "gain_over_default": _mean_and_deviation(more),
                }
            )
    return rows


def _mean_and_deviation(values: Sequence[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.fmean(values), 6), "deviation": round(deviation, 6)}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The summary in Markdown."""
    lines = ["| rules | queries | tuned | base | gain, against the default's |", "|---|---|---|---|---|"]
    for row in rows:
        tuned, base, more = (row[name] for name in ("tuned", "base", "gain_over_default"))
        difference = "" if row["variant"] == DEFAULT else f"{more['mean']:+.4f} ± {more['deviation']:.4f}"
        scores = (f"{score['mean']:.4f} ± {score['deviation']:.4f}" for score in (tuned, base))
        lines.append(f"| {' | '.join([row['variant'], row['set'], *scores, difference])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", nargs="+", choices=[name for name in VARIANTS if name != DEFAULT])
    parser.add_argument("--passages", type=int, default=840)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    chosen = [name for name in VARIANTS if name == DEFAULT or not arguments.part or name in arguments.part]
    runs = []
    with tempfile.TemporaryDirectory() as temporary:
        keep = (arguments.keep or Path(temporary)).resolve()
        for seed in range(arguments.seeds):
            for name in chosen:
                runs.append(measure(name, seed, arguments.passages, keep))
                scores = {query_set: round(scores["tuned"], 4) for query_set, scores in runs[-1]["scores"].items()}
                print(f"{name}, seed {seed}: {scores}", file=sys.stderr, flush=True)
    rows = summary(runs)
    print(table(rows))
    if arguments.json:
        files.write_json(arguments.json, {"summary": rows, "runs": runs})


if __name__ == "__main__":
    main()
