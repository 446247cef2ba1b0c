"""Speed and memory of the stage `generate`, against a server on this machine that speaks the API.

    python -m benchmarks.generation [--passages 20000] [--at-once 50] [--latency 0.05] [--size 500]

Prints the requests per second, as a share of what the server's limit allows (at once ÷ latency), the share that it
refused, and the most memory that the stage's process held. The server runs on the same cores.

Measured on two quiet cores with a limit of 50 at once, through the official client over aiohttp: at 500 ms per reply
92% of the limit (92 requests per second), at 50 ms 86% and 83% of it (863 and 827 per second). While other programs
kept both cores busy (load 15 to 18) it was 85% to 93%, and 19% to 48%, by how much of a core was left: a request takes
1.8 ms of CPU time, most of it in the client and the server of the test. Replies of a real model take a second or more,
for which 64 at once need a tenth of a core. 4,000 passages took 159 MB.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import paths
from tests.generate import fake_anthropic, workspace


def passages(count: int, size: int) -> list[dict[str, str]]:
    words = "the quick brown fox jumps over a lazy dog while nobody is looking".split()  # noqa: SIM905
    rows = workspace.passages(range(count))
    for number, row in enumerate(rows):
        text = " ".join(words[(number + place) % len(words)] for place in range(size // 5))
        row["text"] = f"Passage {number}. {text}"
    return rows


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name, fake_anthropic.running() as server:
        folder = Path(name)
        server.control(latency=arguments.latency, at_once=arguments.at_once)
        workspace.prepare(folder, server.url, [], max_concurrency=2 * arguments.at_once, budget_usd=1000)
        files.write_jsonl(folder / paths.PASSAGES, passages(arguments.passages, arguments.size))
        process = subprocess.Popen(
            [sys.executable, "-m", "stages.generate"],
            cwd=folder,
            env=workspace.environment(),
            stdout=subprocess.DEVNULL,
        )
        first = last = None
        while process.poll() is None and (last is None or last[1] < arguments.passages):
            if (requests := server.count()[1]) > 0:
                last = (time.monotonic(), requests)
                first = first or last
            time.sleep(0.2)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, status
        assert first and last
        stats = server.stats()
        rate = (last[1] - first[1]) / (last[0] - first[0])
        return {
            "requests_per_second": round(rate, 1),
            "share_of_the_limit": round(rate * arguments.latency / arguments.at_once, 3),
            "share_of_the_limit_in_use": round(stats.busy / (last[0] - first[0]) / arguments.at_once, 3),
            "mean_latency": round(stats.busy / stats.billed.total(), 4),
            "refused_share": round(stats.statuses["429"] / stats.requests, 4),
            "most_at_once": stats.most_at_once,
            "cpu_ms_per_request": round((usage.ru_utime + usage.ru_stime) / stats.requests * 1000, 2),
            "memory_mb": round(usage.ru_maxrss / 1024),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--size", type=int, default=500)
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
