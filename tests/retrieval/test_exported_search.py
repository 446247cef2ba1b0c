"""The search folder of an export: each system ranks as the pipeline's own functions do."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import exported_search, ranking
from fieldtune.retrieval.exported_search import ExportedSearch, System
from fieldtune.retrieval.ranking import Rankings
from fieldtune.runtime.errors import UserError

DRAWN = np.random.default_rng(0)
WORDS = [f"word{chr(97 + n)}" for n in range(26)]
PASSAGES: list[dict[str, Any]] = [
    {
        "id": f"{'guides' if n % 3 else 'notes'}/doc{n % 7}.md#part-{n}",
        "source": f"{'guides' if n % 3 else 'notes'}/doc{n % 7}.md",
        "section": f"Part {n // 2}",  # some sections have several passages
        "title": f"Doc {' '.join(DRAWN.choice(WORDS, 2))}",
        "text": " ".join(DRAWN.choice(WORDS, 12)),
    }
    for n in range(300)
]
CORPUS = Corpus.from_passages(PASSAGES)
VECTORS = DRAWN.normal(size=(300, 16)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
QUERY = "wordc wordd worde"
VECTOR = VECTORS[4] * 0.8 + VECTORS[90] * 0.6
VECTOR /= np.linalg.norm(VECTOR)
SYSTEMS = exported_search.systems_of("tuned", 0.7, 0.2)


def written(folder: Path, *, texts: bool = False) -> Path:
    exported_search.write(folder / "search", PASSAGES, SYSTEMS, "tuned_hybrid", texts=texts)
    (folder / "vectors").mkdir()
    columns = {"vector": VECTORS, "vector_int8": (VECTORS / np.abs(VECTORS).max() * 127).round().astype(np.int8)}
    arrays = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), 16) for name, numbers in columns.items()
    }
    pq.write_table(pa.table({"id": [row["id"] for row in PASSAGES], **arrays}), folder / "vectors/passages.parquet")
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("export"))


def expected(system: str) -> Rankings:
    dense = ranking.dense(VECTOR[None], VECTORS, CORPUS)
    words = ranking.bm25_fields([QUERY], CORPUS, (0.0, 0.2))
    fused = ranking.fuse(dense, words[0.2], CORPUS, 0.7)
    return {"tuned": dense, "bm25": words[0.0], "bm25_fields": words[0.2], "tuned_hybrid": fused}[system]


@pytest.mark.parametrize("system", ["tuned", "bm25", "bm25_fields", "tuned_hybrid"])
def test_each_system_ranks_as_it_was_evaluated(export: Path, system: str) -> None:
    index = ExportedSearch(export, 16)
    assert (index.recommended, list(index.systems)) == (
        "tuned_hybrid",
        ["tuned", "bm25", "bm25_fields", "tuned_hybrid"],
    )
    hits = index.search(system, QUERY, VECTOR, 100)
    ranked = expected(system)
    there = ranked.sections[0] >= 0
    assert [hit.section for hit in hits] == [CORPUS.sections[section] for section in ranked.sections[0][there]]
    assert [hit.score for hit in hits] == pytest.approx(ranked.scores[0][there].tolist(), abs=1e-6)
    for hit in hits:
        passage = PASSAGES[hit.row]
        assert (hit.id, hit.source) == (passage["id"], passage["source"])
        assert hit.section == f"{passage['source']}#{passage['section']}"
        assert (hit.title, hit.text) == (None, None)
        if system == "tuned":
            assert hit.score == pytest.approx(float(VECTORS[hit.row] @ VECTOR), abs=1e-6)  # the section's best passage


def test_a_source_keeps_all_others_out(export: Path) -> None:
    index = ExportedSearch(export, 16)
    inside = [row for row, passage in enumerate(PASSAGES) if passage["source"].startswith("notes/doc3")]
    part = Corpus.from_passages([PASSAGES[row] for row in inside])
    dense, words = ranking.dense(VECTOR[None], VECTORS[inside], part), expected("bm25_fields")
    hits = index.search("tuned", QUERY, VECTOR, 100, "notes/doc3")
    assert [hit.section for hit in hits] == [part.sections[s] for s in dense.sections[0] if s >= 0]
    found = [hit.section for hit in index.search("bm25_fields", QUERY, None, 100, "notes/doc3")]
    first = [CORPUS.sections[s] for s in words.sections[0] if CORPUS.sections[s] in part.sections]
    assert found[: len(first)] == first  # of the first hundred of all; more of the others come behind them
    assert set(found) <= set(part.sections)
    assert {hit.source for hit in index.search("tuned_hybrid", QUERY, VECTOR, 100, "notes/doc3")} == {"notes/doc3.md"}
    assert index.search("tuned_hybrid", QUERY, VECTOR, 100, "elsewhere/") == []


def test_int8_ranks_nearly_the_same(export: Path) -> None:
    exact, coarse = (ExportedSearch(export, 16, precision) for precision in ("float32", "int8"))
    first, second = (index.search("tuned", QUERY, VECTOR, 10) for index in (exact, coarse))
    assert len({hit.section for hit in first} & {hit.section for hit in second}) >= 9
    cosines = VECTORS @ VECTOR
    for hit in second:  # of an int8 vector as a unit vector, times its greatest number
        assert hit.score / second[0].score == pytest.approx(float(cosines[hit.row] / cosines[second[0].row]), abs=0.02)


def test_texts_are_there_if_they_were_asked_for(tmp_path: Path) -> None:
    index = ExportedSearch(written(tmp_path, texts=True), 16)
    for hit in index.search("tuned_hybrid", QUERY, VECTOR, 5):
        assert (hit.title, hit.text) == (PASSAGES[hit.row]["title"], PASSAGES[hit.row]["text"])


def test_the_same_passages_give_the_same_bytes(export: Path, tmp_path: Path) -> None:
    again = written(tmp_path)
    for path in sorted((export / "search").rglob("*")):
        if path.is_file():
            other = again / path.relative_to(export)
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), path


def test_systems_are_those_that_the_export_can_run() -> None:
    assert {
        "tuned": System(1.0, 0.0), "bm25": System(0.0, 0.0), "bm25_fields": System(0.0, 0.2),
        "tuned_hybrid": System(0.7, 0.2),
    } == SYSTEMS  # fmt: skip
    assert exported_search.systems_of("base", 0.4, 0.0) == {
        "base": System(1.0, 0.0), "bm25": System(0.0, 0.0), "hybrid": System(0.4, 0.0)
    }  # fmt: skip


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    export = written(tmp_path)
    with pytest.raises(UserError, match="has 16 dimensions, but the model has 32"):
        ExportedSearch(export, 32)
    table = pq.read_table(export / "vectors/passages.parquet")
    pq.write_table(table.drop_columns(["vector_int8"]), export / "vectors/passages.parquet")
    with pytest.raises(UserError, match=r"has no int8 vectors: set `export.int8_vectors` to true"):
        ExportedSearch(export, 16, "int8")
    pq.write_table(table.slice(1), export / "vectors/passages.parquet")
    with pytest.raises(UserError, match="not of the same passages"):
        ExportedSearch(export, 16)
    (export / "search/passages.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="could not be loaded"):
        ExportedSearch(export, 16)
    (export / "search/search.json").unlink()
    with pytest.raises(UserError, match=r"search.json not found.*dvc repro export"):
        ExportedSearch(export, 16)
