"""The rule that keeps the base model where no real queries choose: which one errs least over all sets?

    python -m benchmarks.domains <folder> … --set train.certainty=0.5 --gains gains.jsonl
    python -m benchmarks.choice_rules gains.jsonl

An error is exporting a model that human queries score below the base by more than 0.005, or keeping the base where the
tuned model gains 0.03 with them, beyond luck. A rule sees the gains on dev alone, and its thresholds are chosen without
the set that it is counted on (leave one set out): the pair with the fewest errors on the other sets, and of equals the
one that exports most there.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus import files
from fieldtune.corpus.providers import TYPED
from fieldtune.retrieval.significance import standard_error
from stages.train.choice import reason_to_keep_base, sure

BELOW, WORTH = 0.005, 0.03
CERTAINTIES = (0.5, 0.8, 0.9, 0.95, 0.99)
GAINS = (0.0, 0.01, 0.02, 0.03, 0.05)


@dataclass(frozen=True)
class Run:
    """One tuned model against the base: gains in NDCG@10 on the queries of dev, and on human ones."""

    set: str
    queries: str
    dev: npt.NDArray[np.float64]
    clusters: npt.NDArray[np.int64]
    kinds: list[str]
    human: npt.NDArray[np.float64]
    human_clusters: npt.NDArray[np.int64]

    @property
    def lost(self) -> bool:
        """True if exporting the tuned model is an error."""
        return float(self.human.mean()) < -BELOW

    @property
    def worth(self) -> bool:
        """True if keeping the base model is an error."""
        return bool(self.human.mean() >= WORTH and sure(self.human, self.human_clusters, 0.975))


Rule = Callable[[Run, float, float], bool]  # with a certainty and a least gain: is the tuned model exported?


def mean_gain(run: Run, certainty: float, least: float) -> bool:
    return sure(run.dev - least, run.clusters, certainty)


def each_kind(run: Run, certainty: float, least: float) -> bool:
    """The mean over all queries, and without the kind that gains most, as `train` does it."""
    return run.dev.mean() > 0 and (reason_to_keep_base(run.dev, run.clusters, run.kinds, certainty, least) is None)


def least_kind(run: Run, certainty: float, least: float) -> bool:
    """The kind that gains least."""
    kinds = np.array(run.kinds)
    return all(sure(run.dev[kinds == kind] - least, run.clusters[kinds == kind], certainty) for kind in set(run.kinds))


def typed_kinds(run: Run, certainty: float, least: float) -> bool:
    """The kinds that people typed or that imitate them, if there are any; otherwise the kind that gains least."""
    rows = np.array([kind in TYPED for kind in run.kinds])
    if rows.any():
        return sure(run.dev[rows] - least, run.clusters[rows], certainty)
    return least_kind(run, certainty, least)


RULES: dict[str, Rule] = {
    "always export": lambda run, *_: True,
    "never export": lambda run, *_: False,
    "mean gain": mean_gain,
    "also without the kind that gains most": each_kind,
    "kind that gains least": least_kind,
    "typed kinds, otherwise the least": typed_kinds,
}


def errors(rule: Rule, thresholds: tuple[float, float], runs: Sequence[Run]) -> tuple[int, int]:
    """Models exported below the base, and gains thrown away."""
    exported = [rule(run, *thresholds) for run in runs]
    lost = sum(run.lost for run, out in zip(runs, exported, strict=True) if out)
    thrown = sum(run.worth for run, out in zip(runs, exported, strict=True) if not out)
    return lost, thrown


def choose(rule: Rule, runs: Sequence[Run]) -> tuple[float, float]:
    def cost(thresholds: tuple[float, float]) -> tuple[int, float]:
        return sum(errors(rule, thresholds, runs)), -sum(rule(run, *thresholds) for run in runs)

    return min(product(CERTAINTIES, GAINS), key=cost)


def table(runs: Sequence[Run]) -> Iterator[str]:
    yield "| rule | exported below base | gain thrown away | errors, set left out | certainty, least gain of all sets |"
    yield "|---|---|---|---|---|"
    sets = sorted({run.set for run in runs})
    for name, rule in RULES.items():
        best = choose(rule, runs)
        lost, thrown = errors(rule, best, runs)
        outside = 0
        for left_out in sets:
            thresholds = choose(rule, [run for run in runs if run.set != left_out])
            outside += sum(errors(rule, thresholds, [run for run in runs if run.set == left_out]))
        yield f"| {name} | {lost} | {thrown} | {outside} of {len(runs)} | {best[0]}, {best[1]} |"


def row(line: dict[str, Any]) -> Run:
    dev, test = line["dev"], line["test"]
    return Run(
        line["set"],
        line["queries"],
        np.array(dev["gain"]),
        np.array(dev["cluster"]),
        dev["kind"],
        np.array(test["gain"]),
        np.array(test["cluster"]),
    )


def described(run: Run) -> str:
    kinds = np.array(run.kinds)
    gains = {kind: run.dev[kinds == kind] for kind in sorted(set(run.kinds))}
    by_kind = ", ".join(f"{kind} {values.mean():+.3f} ({len(values)})" for kind, values in gains.items())
    dev = f"{run.dev.mean():+.3f} ± {standard_error(run.dev, run.clusters):.3f}"
    return f"{run.set}, {run.queries}: people {run.human.mean():+.3f}; dev {dev}: {by_kind}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gains", type=Path, nargs="+", help="files that `benchmarks.domains --gains` wrote")
    runs = [row(line) for file in parser.parse_args().gains for line in files.read_jsonl(file)]
    print("\n".join([*map(described, runs), "", *table(runs)]))


if __name__ == "__main__":
    main()
