"""NDCG@10 of the real queries, counted here from the answers of `/v1/search`, against metrics.json.

    python -m benchmarks.served_scores [--system tuned_hybrid …] [--queries 500] [--vectors int8] [--model fp32]

Needs data/export and the data of its run (`dvc repro`). Nothing of the pipeline's ranking and scoring is used here:
the queries and their answers are read from files, the sections from the service's answers, and NDCG is a loop. A row is
a system: NDCG@10 as evaluated (per_query.parquet) and as served on the same queries, and the share of queries whose
score is the same to four decimals. `--queries`: the first so many; all of them by default.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from tests.serve.running import running

EXPORT = Path("data/export")


def ndcg(sections: list[str], answers: set[str]) -> float:
    """Binary NDCG of the first ten."""
    gained = sum(1 / math.log2(rank + 1) for rank, section in enumerate(sections[:10], 1) if section in answers)
    return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(answers), 10) + 1))


def served(client: httpx.Client, query: str, system: str) -> list[str]:
    reply = client.post("/v1/search", json={"query": query, "system": system, "top_k": 10})
    assert reply.status_code == 200, reply.text
    return [hit["section"] for hit in reply.json()["data"]]


def real_queries(most: int | None) -> list[dict[str, Any]]:
    """Rows of per_query.parquet that are in the set `real`."""
    rows: list[dict[str, Any]] = pq.read_table("data/evaluation/per_query.parquet").to_pylist()
    return [row for row in rows if "real" in row["sets"]][:most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", nargs="+")
    parser.add_argument("--queries", type=int)
    parser.add_argument("--vectors", default="float32")
    parser.add_argument("--model", default="fp32")
    arguments = parser.parse_args()
    rows = real_queries(arguments.queries)
    settings = json.loads((EXPORT / "search/search.json").read_text(encoding="utf-8"))
    print(f"| system | evaluated | served | same, of {len(rows):,} |\n|---|---|---|---|")
    with running(EXPORT.resolve(), "--model", arguments.model, "--vectors", arguments.vectors) as service:
        for system in arguments.system or settings["systems"]:
            before = [row[f"{system}_ndcg@10"] for row in rows]
            after = [ndcg(served(service.client, row["query"], system), set(row["answers"])) for row in rows]
            same = sum(abs(a - b) < 1e-4 for a, b in zip(before, after, strict=True)) / len(rows)
            means = (sum(values) / len(values) for values in (before, after))
            print(f"| {system} | {' | '.join(f'{mean:.4f}' for mean in means)} | {same:.2%} |", flush=True)


if __name__ == "__main__":
    main()
