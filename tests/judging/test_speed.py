"""The next query at 100,000 passages, with vectors and words made up."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus, passage_text
from fieldtune.judging.app import create_app
from fieldtune.judging.candidates import Candidate, SearchBy
from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.session import Session
from fieldtune.retrieval import ranking
from fieldtune.retrieval.bm25 import temporary_index
from tests.judging.made_up import TOKEN

PASSAGES, DIMENSION, QUERIES, TOP = 100_000, 384, 30, 5
MOST = 0.15  # seconds

pytestmark = pytest.mark.slow


class Ranked:
    """BM25, and two models that give a text a vector of its own."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows
        drawn = np.random.default_rng(0)
        self._vectors = [drawn.standard_normal((PASSAGES, DIMENSION), dtype=np.float32) for _ in range(2)]
        ids = [row["id"] for row in rows]
        self._corpus = Corpus(ids, np.arange(PASSAGES), [passage_text(row) for row in rows])
        with temporary_index(self._corpus.texts) as index:
            self._bm25 = index

    def pools(self, queries: Sequence[str], top: int) -> list[list[Candidate]]:
        query = np.random.default_rng(len(queries[0])).standard_normal((1, DIMENSION), dtype=np.float32)
        rankings = [ranking.dense(query, vectors, self._corpus) for vectors in self._vectors]
        rankings.append(ranking.by_fields(self._bm25, queries, self._corpus, (0.0,))[0.0])
        rows = {row for ranked in rankings for row in ranked.sections[0, :top].tolist() if row >= 0}
        return [[Candidate("a.md", self._rows[row]["section"], [row]) for row in sorted(rows)]]

    def search(self, text: str, by: SearchBy, top: int) -> list[int]:
        return [0]


def made_up_passages() -> list[dict[str, Any]]:
    drawn = np.random.default_rng(1)
    words = drawn.zipf(1.3, (PASSAGES, 120)) % 50_000
    return [
        {
            "id": f"a.md#{number}",
            "source": "a.md",
            "section": str(number),
            "title": f"Section {number}",
            "text": " ".join(f"w{word}" for word in row),
        }
        for number, row in enumerate(words.tolist())
    ]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_the_next_query_is_there_in_150_ms(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "real.judgements.jsonl")

    def load() -> tuple[list[dict[str, Any]], Ranked]:
        rows = made_up_passages()
        return rows, Ranked(rows)

    ranker = Ranker(load, TOP)
    ranker.start()
    queries = [f"w{3 * n + 1} w{5 * n + 2} w{7 * n + 3} w{n}" for n in range(QUERIES)]
    app = create_app(Session(journal, tmp_path / "real.jsonl", queries, ranker, None), TOKEN, "127.0.0.1")
    assert ranker.loaded.wait(600)
    headers = {"origin": "http://127.0.0.1", "authorization": f"Bearer {TOKEN}"}
    took = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", headers=headers
    ) as client:
        while (view := (await client.post("/api/view", json={"person": "me"})).json())["phase"] == "waiting":
            time.sleep(0.05)
        for query in queries[:-1]:
            time.sleep(1)  # as long as nobody reads a passage
            press = {"person": "me", "action": "unanswered", "query": query}
            started = time.perf_counter()
            view = (await client.post("/api/press", json=press)).json()
            took.append(time.perf_counter() - started)
            assert view["phase"] == "judging"
    ranker.close()
    journal.close()
    print(f"next query: median {1000 * float(np.median(took)):.0f} ms, slowest {1000 * max(took):.0f} ms")
    assert max(took) < MOST
