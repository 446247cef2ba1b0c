"""BM25 over a large corpus by fieldtune/retrieval/bm25.py, by bm25s with numba, and by tantivy.

    pip install tantivy==0.27.0 numba==0.68.1
    python -m benchmarks.word_search [--passages 1000000] [--queries 200]

The passages are those of benchmarks.corpus_size, and each query is five words of one of them. Each engine builds its
index of the whole texts and gives the first 400 passages of each query, in one thread. Prints CPU seconds, and the
share of ours' first ten passages that the engine's first ten have.
"""

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import corpus_size
from fieldtune.retrieval import bm25, ranking

K = 4 * ranking.DEPTH
Search = Callable[[str], Sequence[int]]  # a query's first passages, best first


def ours(texts: Sequence[str], folder: Path) -> Search:
    bm25._build_field(texts, len(texts), folder / "whole")
    return numpy_search(folder, "numpy")


def bm25s_numba(texts: Sequence[str], folder: Path) -> Search:
    """Our index, read by bm25s with its numba backend, which compiles at the first query."""
    bm25._build_field(texts, len(texts), folder / "whole")
    return numpy_search(folder, "numba")


def numpy_search(folder: Path, backend: str) -> Search:
    bm25s: Any = importlib.import_module("bm25s")
    index = bm25s.BM25.load(folder / "whole", mmap=True)
    index.backend = backend

    def search(query: str) -> Sequence[int]:
        words = bm25.stems(query)
        if backend == "numba":
            hits: list[int] = index.retrieve([words], k=K, show_progress=False, n_threads=1).documents[0].tolist()
            return hits
        scores = index.get_scores_from_ids(index.get_tokens_ids(words))
        rows = np.argpartition(-scores, K - 1)[:K]
        best: list[int] = rows[np.argsort(-scores[rows], kind="stable")].tolist()
        return best

    return search


def tantivy(texts: Sequence[str], folder: Path) -> Search:
    """Tantivy's English stems, its own k1 of 1.2, and lengths that it keeps in one byte."""
    library: Any = importlib.import_module("tantivy")
    builder = library.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    builder.add_unsigned_field("row", stored=True)
    folder.mkdir()
    index = library.Index(builder.build(), path=str(folder))
    writer = index.writer(heap_size=256_000_000, num_threads=1)
    for row, text in enumerate(texts):
        writer.add_document(library.Document(text=[text], row=row))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(query: str) -> Sequence[int]:
        matches = searcher.search(index.parse_query(query, ["text"]), K).hits
        return [searcher.doc(address)["row"][0] for _, address in matches]

    return search


ENGINES = {"ours": ours, "bm25s_numba": bm25s_numba, "tantivy": tantivy}


def texts_of(passages: int) -> Iterator[str]:
    for texts, _ in corpus_size.chunks(passages):
        for words in texts:
            yield " ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    texts = list(texts_of(arguments.passages))
    draw = np.random.default_rng(2)
    rows = draw.choice(len(texts), arguments.queries, replace=False)
    queries = [" ".join(draw.choice(texts[row].split(), 5, replace=False)) for row in rows]
    first: dict[str, list[set[int]]] = {}
    for name in arguments.engines:
        with TemporaryDirectory() as folder:
            started = time.process_time()
            search = ENGINES[name](texts, Path(folder) / "index")
            built = time.process_time() - started
            search(queries[0])  # loads, or compiles
            started = time.process_time()
            first[name] = [set(search(query)[:10]) for query in queries]
            searched = time.process_time() - started
        same = [len(one & other) / 10 for one, other in zip(first[name], first[arguments.engines[0]], strict=True)]
        print(
            json.dumps(
                {
                    "engine": name,
                    "build_cpu_seconds": round(built, 1),
                    "milliseconds_per_query": round(1000 * searched / len(queries), 1),
                    "first_ten_as_first_engine": round(float(np.mean(same)), 3),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
