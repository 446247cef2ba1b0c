"""Judged queries as qrels.parquet, the queries' files and the vectors give them."""

from pathlib import Path

import numpy as np
import pytest

from fieldtune.corpus import files
from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import judged_queries
from fieldtune.runtime import paths

CORPUS = Corpus.from_passages([{"source": "d", "section": s, "title": "", "text": ""} for s in ("a", "b", "b", "c")])
QRELS = [
    # set, query, section, passage, group, relevance
    ("real", "r000001", "d#b", "d#b", 5, 1),
    ("real", "r000001", "d#b", "d#b-2", 5, 1),
    ("real_hard", "r000001", "d#b", "d#b", 5, 1),
    ("real", "r000000", "d#a", "d#a", 3, 1),
    ("real", "r000000", "d#c", "d#c", 3, 0.5),
    ("synthetic", "q000002", "d#c", "d#c", 3, 1),
    ("dev", "q000000", "d#a", "d#a", 9, 1),
]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    columns = zip(*QRELS, strict=True)
    names = ("set", "query_id", "section", "passage_id", "group", "relevance")
    files.write_table(paths.QRELS, {name: list(values) for name, values in zip(names, columns, strict=True)})
    files.write_jsonl(
        paths.QUERIES,
        [{"query": f"generated {n}", "kind": ("question", "keyword")[n % 2], "provider": "claude"} for n in range(3)],
    )
    rest = {"group": "test", "sections": ["d#b"], "passages": ["d#b"], "overlap": 0.0}
    files.write_jsonl(paths.REAL, [{"query": f"real {n}", **rest} for n in range(2)])


def test_queries_come_with_their_answers_groups_and_sets() -> None:
    judged = judged_queries.read(judged_queries.TEST_SETS, CORPUS)
    assert judged.ids == ["r000001", "r000000", "q000002"]
    assert judged.texts == ["real 1", "real 0", "generated 2"]
    assert judged.grades == [{1: 1}, {0: 1, 2: 0.5}, {2: 1}]
    assert judged.relevant == [{1}, {0}, {2}]  # what answers partly is none
    assert judged.clusters.tolist() == [5, 3, 3]
    assert {name: rows.tolist() for name, rows in judged.sets.items()} == {
        "real": [0, 1],
        "real_hard": [0],
        "synthetic": [2],
    }


def test_rows_of_sets_come_once_and_sorted() -> None:
    judged = judged_queries.read(("dev", *judged_queries.TEST_SETS), CORPUS)
    assert judged.rows(judged_queries.TEST_SETS).tolist() == [0, 1, 2]
    assert judged.rows(["dev"]).tolist() == [3]
    assert judged.rows(["absent"]).tolist() == []


def test_sets_come_in_the_order_asked_for_and_only_where_they_have_queries() -> None:
    assert list(judged_queries.read(("synthetic", "absent", "dev"), CORPUS).sets) == ["synthetic", "dev"]


@pytest.mark.parametrize(("places", "first"), [(5, "synthetic"), (6, "real")])
def test_a_handful_of_real_queries_does_not_carry_the_verdict(places: int, first: str) -> None:
    """Those of one place count as one."""
    rows = [("real", f"r{n:06d}", "d#b", "d#b", n % places, 1) for n in range(12)] + [
        ("synthetic", "q000002", "d#b", "d#b", 9, 1)
    ]
    names = ("set", "query_id", "section", "passage_id", "group", "relevance")
    files.write_table(paths.QRELS, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    rest = {"group": "test", "sections": ["d#b"], "passages": ["d#b"], "overlap": 0.0}
    files.write_jsonl(paths.REAL, [{"query": f"real {n}", **rest} for n in range(12)])
    judged = judged_queries.read(judged_queries.TEST_SETS, CORPUS)
    assert judged.main_set == first
    assert next(iter(judged.sets)) == first


@pytest.mark.parametrize(
    ("names", "main_set"), [(("dev", "real", "synthetic"), "synthetic"), (("dev", "real"), "real"), (("dev",), "")]
)
def test_a_set_that_was_not_read_carries_no_verdict(names: tuple[str, ...], main_set: str) -> None:
    assert judged_queries.read(names, CORPUS).main_set == main_set  # two clusters of real queries are too few


def test_names_may_be_an_iterator() -> None:
    judged = judged_queries.read(iter(["dev"]), CORPUS)
    assert (judged.ids, judged.texts, judged.relevant) == (["q000000"], ["generated 0"], [{0}])


def test_some_of_the_queries_keep_what_is_theirs() -> None:
    subset = judged_queries.read(judged_queries.TEST_SETS, CORPUS).at(np.array([2, 0]))
    assert (subset.ids, subset.texts) == (["q000002", "r000001"], ["generated 2", "real 1"])
    assert (subset.relevant, subset.clusters.tolist(), subset.sets) == ([{2}, {1}], [3, 5], {})


def test_labels_are_those_of_generation_or_real() -> None:
    ids = ["q000001", "r000000", "q000002"]
    assert judged_queries.labels(ids, "kind") == ["keyword", "real", "question"]
    assert judged_queries.labels(ids, "provider") == ["claude", "real", "claude"]


def test_an_id_names_its_row() -> None:
    assert [judged_queries.row_of(name(3)) for name in (judged_queries.real_id, judged_queries.generated_id)] == [3, 3]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["copy images"], 1.0),  # by stems, in the better of the section's two passages
        (["move image"], 0.5),
        (["copy image", "move pictures"], 0.75),
        ([], 0.0),
    ],
)
def test_the_share_of_words_that_answers_repeat(texts: list[str], expected: float) -> None:
    corpus = Corpus(["s#a", "s#b"], np.array([0, 0, 1]), ["Guide\nmove it", "Guide\ncopy an image", "Guide\nother"])
    ids = [f"q{n}" for n in range(len(texts))]
    queries = judged_queries.Judged(ids, texts, [{0: 1, 1: 1}] * len(texts), np.arange(len(texts)), {})
    assert judged_queries.words_in_answers(queries, corpus) == expected
