"""Rules that choose a hybrid's share without real queries: how much each loses on the queries of people.

    python -m benchmarks.fusion_rules <folder> … [--cache folder]

A `<folder>` is what `benchmarks.domains --keep <folder>` left, one for each kind of training queries (styled,
zero-shot): `<folder>/<set>/data<seed>`. Of each run both hybrids are scored, base and tuned, with each share on the dev
queries, which choose, and on the real ones, which are the test. A row is a rule: the NDCG@10 that it loses on the mean
of all hybrids and seeds against the best share there, the most that it loses in the mean over the seeds of one hybrid,
and what it has over the better half alone there, the least. `left out`: the same for a family of rules, with the
parameter that is best on the other sets for each set. `--cache` keeps the scores of each run.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors
from fieldtune.retrieval import fusion, judged_queries, metrics, ranking
from fieldtune.runtime import paths

Table = npt.NDArray[np.float64]  # NDCG@10 [shares, queries]
Rule = Callable[[Table, npt.NDArray[np.int64]], int]  # dev's table and clusters → the place of a share


@dataclass(frozen=True)
class Run:
    """A hybrid of a run: its NDCG@10 by share."""

    queries: str  # of the training: the folder's name
    set: str
    seed: str
    model: str  # base | tuned
    dev: Table
    clusters: npt.NDArray[np.int64]  # of the dev queries
    real: npt.NDArray[np.float64]  # [shares]: the mean over the real queries

    @property
    def hybrid(self) -> tuple[str, str, str]:
        return self.queries, self.set, self.model


def scores(data: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The NDCG@10 of both hybrids of a run, `base` and `tuned` [shares, queries], `clusters`, and rows of the sets."""
    with TemporaryDirectory() as folder, chdir(folder):
        Path("data").symlink_to(data, target_is_directory=True)
        corpus = Corpus.from_passages(list(files.read_jsonl(paths.PASSAGES)))
        judged = judged_queries.read(("real", "dev"), corpus)
        words = ranking.bm25(judged.texts, corpus)
        tables: dict[str, npt.NDArray[np.generic]] = {"clusters": judged.clusters, **judged.sets}
        for model, vectors in (("base", paths.VECTORS), ("tuned", paths.TUNED_VECTORS)):
            queries = read_vectors(vectors, QUERIES, judged.texts)
            dense = ranking.dense(queries, read_vectors(vectors, PASSAGES, corpus.texts), corpus)
            fused = (ranking.fuse(dense, words, corpus, share) for share in fusion.SHARES)
            tables[model] = np.stack([metrics.per_query(each, judged.grades)["ndcg@10"] for each in fused])
    return tables


def read(folder: Path, cache: Path | None) -> Iterator[Run]:
    """The hybrids of all runs in a folder."""
    for data in sorted(folder.glob("*/data*")):
        stored = cache / f"{folder.name}-{data.parent.name}-{data.name}.npz" if cache else None
        if stored and stored.is_file():
            tables: Mapping[str, npt.NDArray[np.generic]] = dict(np.load(stored))
        else:
            tables = scores(data.resolve())
            if stored:
                np.savez(stored, **tables)  # type: ignore[arg-type]
        dev, real = tables["dev"].astype(int), tables["real"].astype(int)
        for model in ("base", "tuned"):
            table = tables[model].astype(np.float64)
            yield Run(
                folder.name, data.parent.name, data.name, model,
                table[:, dev], tables["clusters"][dev].astype(np.int64), table[:, real].mean(axis=1),
            )  # fmt: skip


def fixed(place: int, dev: Table, clusters: npt.NDArray[np.int64]) -> int:
    return place


def better_half(dev: Table, clusters: npt.NDArray[np.int64]) -> int:
    return len(dev) - 1 if dev[-1].mean() >= dev[0].mean() else 0


def by_dev(errors: float, tilt: int, least: int, dev: Table, clusters: npt.NDArray[np.int64]) -> int:
    """`fusion.by_dev` with other constants."""
    return fusion.by_dev(dev, clusters, errors, tilt, least)


FAMILIES: dict[str, dict[str, Rule]] = {
    "a fixed share": {f"{share}": partial(fixed, place) for place, share in enumerate(fusion.SHARES) if place},
    "the better half on dev": {"": better_half},
    "the best on dev": {
        f"beyond {errors:g} standard errors": partial(by_dev, errors, 0, 0) for errors in (0.0, 1.0, 1.645, 1.96, 3.0)
    },
    "the best on dev beyond 1 standard error": {
        f"and {tilt / 10:g} more": partial(by_dev, 1.0, tilt, 0) for tilt in (1, 2, 3)
    },
    "the same and .1 more": {
        f"and {least / 10:g} or more if the model is better": partial(by_dev, 1.0, 1, least) for least in (6, 7, 8, 9)
    },
}


def by_hybrid(rule: Callable[[Run], Rule], runs: Sequence[Run]) -> tuple[Table, Table]:
    """Of each hybrid, over its seeds: the mean loss against the best share, and the mean lead over the better half."""
    losses: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for run in runs:
        got = run.real[rule(run)(run.dev, run.clusters)]
        losses.setdefault(run.hybrid, []).append((run.real.max() - got, got - max(run.real[0], run.real[-1])))
    means = np.array([np.mean(values, axis=0) for values in losses.values()])
    return means[:, 0], means[:, 1]


def same(rule: Rule) -> Callable[[Run], Rule]:
    """The rule, whatever the run."""
    return lambda _: rule


def left_out(family: Mapping[str, Rule], runs: Sequence[Run]) -> Callable[[Run], Rule]:
    """For each set the rule of the family that loses least on the other sets."""
    best: dict[str, Rule] = {}
    for name in {run.set for run in runs}:
        others = [run for run in runs if run.set != name]
        best[name] = min(family.values(), key=lambda rule: float(by_hybrid(same(rule), others)[0].mean()))
    return lambda run: best[run.set]


def rows(runs: Sequence[Run]) -> Iterator[str]:
    yield "| rule | mean loss | most lost | least over the better half |\n|---|---|---|---|"
    for family, rules in FAMILIES.items():
        entries: dict[str, Callable[[Run], Rule]] = {
            f"{family} {parameter}".strip(): same(rule) for parameter, rule in rules.items()
        }
        if len(rules) > 1 and len({run.set for run in runs}) > 1:
            entries[f"{family}: left out"] = left_out(rules, runs)
        for name, rule in entries.items():
            loss, lead = by_hybrid(rule, runs)
            yield f"| {name} | {loss.mean():.4f} | {loss.max():.4f} | {lead.min():+.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)
    runs = [run for folder in arguments.folders for run in read(folder, arguments.cache)]
    print(json.dumps({"hybrids": len({run.hybrid for run in runs}), "runs": len(runs)}))
    for line in rows(runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
