"""Exact search, chunked on both axes, beside one big matrix product: time and memory.

    python -m benchmarks.search --passages 1000000 --queries 10000
    python -m benchmarks.search --passages 100000 --queries 1000 --whole

Random unit vectors of 384 numbers; the 400 nearest passages of each query, as the stages fetch them. `--whole` adds the
single product of all queries with all passages, whose scores alone are 4 bytes × queries × passages, and checks that
both find the same. Each runs in a process of its own: `peak_gb` is the most that it took, `vectors_gb` of it vectors.

On two cores that others used as well:

    queries  passages   chunked            one product
    1,000    100,000    6.3 s, .8 GB       4.8 s, .8 GB
    2,000    1,000,000  85 s, 2.4 GB       (8 GB of scores)
    10,000   1,000,000  7 minutes by that  (40 GB of scores)
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.retrieval import ranking

DIMENSION = 384
K = 4 * ranking.DEPTH

Vectors = npt.NDArray[np.float32]


def unit(rows: int, seed: int) -> Vectors:
    """Random unit vectors [rows, DIMENSION]."""
    draw = np.random.default_rng(seed)
    vectors = np.empty((rows, DIMENSION), dtype=np.float32)
    for start in range(0, rows, 10_000):
        block = draw.standard_normal((min(10_000, rows - start), DIMENSION), dtype=np.float32)
        vectors[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def whole(queries: Vectors, passages: Vectors, k: int) -> ranking.ScoredPassages:
    """The same by one product."""
    import torch

    scores, places = (torch.from_numpy(queries) @ torch.from_numpy(passages).T).topk(k, dim=1)
    return places.numpy(), scores.numpy()


SEARCHES = {"chunked": ranking.nearest, "whole": whole}


def measured(search: str, queries: int, passages: int) -> dict[str, Any]:
    """Run one search in this process."""
    query_vectors, table = unit(queries, 1), unit(passages, 0)
    started = time.monotonic()
    hits, _ = SEARCHES[search](query_vectors, table, min(K, passages))
    return {
        "search": search,
        "queries": queries,
        "passages": passages,
        "seconds": round(time.monotonic() - started, 2),
        "vectors_gb": round((query_vectors.nbytes + table.nbytes) / 1e9, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "sum": int(hits.sum()),  # of all places found: the same where both find the same
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--only", choices=SEARCHES, help="run in this process")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measured(arguments.only, arguments.queries, arguments.passages)))
        return
    sums = set()
    for search in SEARCHES if arguments.whole else ("chunked",):
        command = [sys.executable, "-m", "benchmarks.search", "--only", search]
        sizes = ["--passages", str(arguments.passages), "--queries", str(arguments.queries)]
        line = subprocess.run([*command, *sizes], check=True, capture_output=True, text=True).stdout
        print(line, end="")
        sums.add(json.loads(line)["sum"])
    assert len(sums) == 1, "the two searches found other passages"


if __name__ == "__main__":
    main()
