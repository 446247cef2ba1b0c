"""The code of docs/serving.md for vector stores, as it stands there: each finds what exact search finds."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest

from fieldtune.runtime import paths
from tests import pages
from tests.export import fake_elasticsearch, postgres
from tests.export.test_main import exported

SECTION = pages.section("docs/serving.md", "## In the search you have") + pages.section(
    "docs/serving.md", "## Smaller vectors"
)
FIRST, *STORES, COARSE = re.findall(r"^```python\n(.*?)^```", SECTION, flags=re.DOTALL | re.MULTILINE)
QUERY = "why does the vent stay open at night"
# By the package that a store's code imports first: an address in it, and what gives the one to use here.
HERE: dict[str, tuple[str, Callable[[], AbstractContextManager[str]]]] = {
    "lancedb": ("", lambda: nullcontext("")),
    "qdrant_client": ("http://localhost:6333", lambda: nullcontext(":memory:")),
    "psycopg": ("dbname=search", postgres.running),
    "elasticsearch": ("http://localhost:9200", fake_elasticsearch.running),
    "apsw": ("", lambda: nullcontext("")),
    "faiss": ("", lambda: nullcontext("")),
}

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # the code leaves its clients open
]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the first part leaves behind, in a folder with an export of every kind of vector."""
    folder = tmp_path_factory.mktemp("stores")
    with exported(folder, "int8_vectors", "binary_vectors"):
        namespace: dict[str, Any] = {}
        assert QUERY in FIRST
        exec(FIRST.replace(QUERY, "word5 word7 to another region"), namespace)
        yield namespace


def exact(names: dict[str, Any]) -> list[str]:
    """Ids of the ten passages of highest cosine, best first."""
    scores = names["vectors"].astype(np.float64) @ names["query"]
    assert np.diff(np.sort(scores)[-11:]).min() > 1e-4  # rounding does not change the order
    return [names["ids"][row] for row in np.argsort(-scores)[:10]]


def test_every_store_is_tested() -> None:
    assert [re.split(r"[ .\n]", part)[1] for part in STORES] == list(HERE)


@pytest.mark.parametrize("package", HERE)
def test_each_store_finds_what_exact_search_finds(names: dict[str, Any], package: str) -> None:
    (part,) = [part for part in STORES if re.match(rf"(import|from) {package}\b", part)]
    address, here = HERE[package]
    assert address in part
    with here() as started:
        own = dict(names)
        exec(part.replace(address, started) if address else part, own)
        assert own["found"] == exact(names)
        for name in ("client", "db"):
            if name in own:
                own[name].close()


def test_coarse_queries_find_their_like(names: dict[str, Any]) -> None:
    import apsw
    import faiss
    import pyarrow.parquet as pq
    import sqlite_vec

    own = dict(names)
    exec(COARSE, own)
    table = pq.read_table(paths.EXPORT / "vectors/passages.parquet")
    int8, bits = (np.stack(table[name].to_numpy()) for name in ("vector_int8", "vector_binary"))

    db = apsw.Connection(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute("CREATE VIRTUAL TABLE passages USING vec0(id TEXT, a INT8[32] distance_metric=cosine, b BIT[32])")
    for one, a, b in zip(names["ids"], int8, bits, strict=True):
        db.execute("INSERT INTO passages (id, a, b) VALUES (?, vec_int8(?), vec_bit(?))", (one, a, b))
    nearest = "SELECT id, distance FROM passages WHERE {} MATCH {}(?) AND k = 10"
    by_int8 = [row[0] for row in db.execute(nearest.format("a", "vec_int8"), (own["int8"],))]
    by_bits = [row[1] for row in db.execute(nearest.format("b", "vec_bit"), (own["bits"],))]
    db.close()
    assert by_int8[:3] == exact(names)[:3]
    assert len(set(by_int8) & set(exact(names))) >= 9  # the last may be another

    differing = np.unpackbits(bits ^ own["bits"], axis=1).sum(axis=1)
    assert by_bits == np.sort(differing)[:10].tolist()
    index = faiss.IndexBinaryFlat(32)
    index.add(bits)
    assert index.search(own["bits"][None], 10)[0][0].tolist() == by_bits
