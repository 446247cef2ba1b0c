"""The code of docs/hybrid.md for stores, as it stands there, on an export: each fuses as the pipeline does."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import DEPTH, Rankings
from tests import pages
from tests.export import postgres
from tests.export.test_main import exported

SECTION = pages.section("docs/hybrid.md", "## In a store")
FIRST, *STORES = re.findall(r"^```python\n(.*?)^```", SECTION, flags=re.DOTALL | re.MULTILINE)
# By the name of a store in the text: a word of its code, an address in it, and what gives the one to use here.
HERE: dict[str, tuple[str, str, Callable[[], AbstractContextManager[str]]]] = {
    "LanceDB": ("lancedb", "", lambda: nullcontext("")),
    "Qdrant": ("qdrant_client", "http://localhost:6333", lambda: nullcontext(":memory:")),
    "PostgreSQL": ("psycopg", "dbname=search", postgres.running),
    "SQLite": ("apsw", "", lambda: nullcontext("")),
}

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the code leaves its clients open
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the first part leaves behind, in a folder with an export."""
    folder = tmp_path_factory.mktemp("hybrids")
    with exported(folder):
        namespace: dict[str, Any] = {}
        exec(FIRST.replace("copy an image to another region", "word5 word7 word11"), namespace)
        assert namespace["share"] == 0.7
        yield namespace


def ranked(scores: dict[str, float], ids: list[str]) -> Rankings:
    order = sorted(scores, key=lambda one: -scores[one])
    rankings = Rankings(np.full((1, DEPTH), -1), np.full((1, DEPTH), -np.inf))
    rankings.sections[0, : len(order)] = [ids.index(one) for one in order]
    rankings.scores[0, : len(order)] = [scores[one] for one in order]
    return rankings


@pytest.mark.parametrize("store", HERE)
def test_each_store_fuses_its_halves(names: dict[str, Any], store: str) -> None:
    word, address, here = HERE[store]
    (part,) = [part for part in STORES if re.search(rf"^(import|from) {word}\b", part, flags=re.MULTILINE)]
    assert address in part
    with here() as started:
        own = dict(names)
        exec(part.replace(address, started) if address else part, own)
    for name in ("client", "db"):
        if name in own:
            own[name].close()
    ids, texts = own["ids"], own["texts"]
    cosines = own["vectors"].astype(np.float64) @ own["query"]
    assert list(own["dense"])[:10] == [ids[row] for row in np.argsort(-cosines)[:10]]
    assert own["dense"] == pytest.approx({one: float(cosines[ids.index(one)]) for one in own["dense"]}, abs=1e-5)
    asked = {"word5", "word7", "word11"}
    assert set(own["lexical"]) == {one for one, text in zip(ids, texts, strict=True) if asked & set(text.split())}
    corpus = Corpus(ids, np.arange(len(ids)), texts)
    if store == "Qdrant":  # the exported index: BM25 as it was evaluated
        words = ranking.bm25([own["words"]], corpus)
        expected = {ids[row]: score for row, score in zip(words.sections[0], words.scores[0], strict=True) if row >= 0}
        assert own["lexical"] == pytest.approx(expected, rel=1e-4)
    fused = ranking.fuse(ranked(own["dense"], ids), ranked(own["lexical"], ids), corpus, 0.7)
    assert own["found"] == [ids[row] for row in fused.sections[0, :10]]


def test_what_is_only_shown_is_python_at_least() -> None:
    (part,) = [part for part in STORES if "elasticsearch" in part]
    compile(part, "elasticsearch", "exec")
    assert len(STORES) == len(HERE) + 1
