"""The worth of each lever of training: several seeds, on prepared data sets of several domains.

    python -m benchmarks.levers <folder> … [--seeds 3] [--only name …] [--out rows.jsonl]

Each folder is a repository whose `data/` has come as far as `generate` (or further: missing vectors and data
sets are made). Trains with each variant below, and mixes each result with the base model at several
shares; measures NDCG@10 on real queries, on held-out generated ones and on dev, by kind. Prints, over the seeds, the
mean and the standard deviation of the gain over the base model; `--out` takes all measurements.

A variant is a change of conf/config.yaml's `train:`; `tutorial` is sentence-transformers' own recipe (pairs, MNRL,
batch 64, learning rate 2e-5, 3 epochs).
"""

import argparse
import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from benchmarks.prepared import Domain, prepare
from fieldtune.models import encoder
from stages.train.choice import mixture

SHARES = (0.25, 0.5, 0.75, 1.0)
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "3 epochs": {"epochs": 3},
    "learning rate 3e-5": {"learning_rate": 3e-5},
    "learning rate 3e-5, 3 epochs": {"learning_rate": 3e-5, "epochs": 3},
    "learning rate 1e-5, 2 epochs": {"learning_rate": 1e-5, "epochs": 2},
    "learning rate 2e-4": {"learning_rate": 2e-4},
    "no hard negative": {"negatives": 0},
    "2 rounds": {"rounds": 2},
    "temperature 0.02": {"temperature": 0.02},
    "temperature .1": {"temperature": 0.1},
    "symmetric": {"symmetric": True},
    "matryoshka 256, 128, 64": {"matryoshka": [256, 128, 64]},
    "lora 16, learning rate 1e-3": {"lora": 16, "learning_rate": 1e-3},
    "batch 32": {"batch_size": 32},
    "batch 256, learning rate 2e-4": {"batch_size": 256, "learning_rate": 2e-4},
}


def measure(domain: Domain, names: Sequence[str], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """All that is found, a row for each variant, seed and share of the way from the base model."""
    base = encoder.load_base(domain.config.model).state_dict()
    yield {"variant": "base", "seed": 0, "share": 0.0, "scores": domain.base}
    for seed, name in itertools.product(seeds, names):
        model = domain.tutorial(seed) if name == "tutorial" else domain.train(VARIANTS[name], seed)
        ends = {key: value.detach().clone() for key, value in model.state_dict().items()}
        for share in SHARES if name != "tutorial" else (1.0,):
            model.load_state_dict(
                mixture({key: base[key].to(value.device) for key, value in ends.items()}, ends, share)
            )
            yield {"variant": name, "seed": seed, "share": share, "scores": domain.scores(model)}


def summary(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The gain over the base by variant and share, on the real queries and the generated ones."""
    base = rows[0]["scores"]
    columns = [name for name in base if name.startswith("test/") and not name.endswith("/n")]
    yield "| variant | share | " + " | ".join(f"{name} {base[name]:.3f}" for name in columns) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for (name, share), runs in itertools.groupby(
        sorted(rows[1:], key=lambda row: (["tutorial", *VARIANTS].index(row["variant"]), row["share"])),
        key=lambda row: (row["variant"], row["share"]),
    ):
        scores = [row["scores"] for row in runs]
        gains = [[row[column] - base[column] for row in scores] for column in columns]
        cells = [f"{mean(gain):+.3f} ± {stdev(gain) if len(gain) > 1 else 0:.3f}" for gain in gains]
        yield f"| {name} | {share} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["tutorial", *VARIANTS], help="names of variants")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.resolve() if arguments.out else None
    for folder in arguments.folders:
        with contextlib.chdir(folder):
            prepare()
            domain, rows = Domain(), []
            for row in measure(domain, arguments.only, range(arguments.seeds)):
                rows.append(row)
                if out:
                    with out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"folder": folder.name, **row}) + "\n")
        print(f"\n{folder.name}\n", *summary(rows), sep="\n", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
