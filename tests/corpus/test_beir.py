"""Folders in the layout of BEIR: which are one, and the rows that their qrels make."""

import gzip
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.corpus.beir import corpus_of, is_beir, rows, warnings_of
from fieldtune.runtime.errors import UserError

HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus and queries `q0` … `q2`, without qrels."""
    files.write_jsonl(tmp_path / "corpus.jsonl", [{"_id": "d1", "text": "a text"}])
    files.write_jsonl(tmp_path / "queries.jsonl", [{"_id": f"q{n}", "text": f" query {n}"} for n in range(3)])
    return tmp_path


def judged(folder: Path) -> list[tuple[str, str, str, str]]:
    """File and line, query, document and split of each row."""
    return [
        (where.removeprefix(f"{folder}/"), row["query"], row["passage_id"], row["split"]) for where, row in rows(folder)
    ]


def test_a_folder_is_one_if_it_has_corpus_queries_and_qrels(folder: Path) -> None:
    assert not is_beir(folder)
    (folder / "qrels").mkdir()
    assert not is_beir(folder)
    files.write_text(folder / "qrels/test.tsv", HEADER)
    assert is_beir(folder)
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / name).rename(folder / "aside")
        assert not is_beir(folder)
        (folder / "aside").rename(folder / name)
    (folder / "qrels/test.tsv").rename(folder / "qrels.tsv")
    assert is_beir(folder)


@pytest.mark.parametrize(
    ("name", "split"),
    [("train", "train"), ("dev", "dev"), ("valid", "dev"), ("validation", "dev"), ("test", "test"), ("other", "test")],
)
def test_the_file_names_the_split(name: str, split: str, folder: Path) -> None:
    files.write_text(folder / f"qrels/{name}.tsv", f"{HEADER}q1\td1\t1\n")
    assert judged(folder) == [(f"qrels/{name}.tsv, line 2", "query 1", "d1", split)]


def test_a_single_file_is_test_and_counts_only_without_a_folder(folder: Path) -> None:
    files.write_text(folder / "qrels.tsv", "q1\td1\t1\n")
    assert judged(folder) == [("qrels.tsv, line 1", "query 1", "d1", "test")]
    files.write_text(folder / "qrels/train.tsv", "q2\td1\t1\n")
    assert judged(folder) == [("qrels/train.tsv, line 1", "query 2", "d1", "train")]


def test_only_what_is_judged_above_zero_is_an_answer(folder: Path) -> None:
    lines = ["q0\td1\t0", "", "q0\td2\t2", "q1\td1\t-1", " \t\t", "q1\td3\t1"]
    files.write_text(folder / "qrels/test.tsv", HEADER + "\n".join(lines))
    assert judged(folder) == [
        ("qrels/test.tsv, line 4", "query 0", "d2", "test"),
        ("qrels/test.tsv, line 7", "query 1", "d3", "test"),
    ]


def test_the_form_of_trec_eval_has_a_column_more(folder: Path) -> None:
    files.write_text(folder / "qrels/test.tsv", "\ufeffq0\t0\td1\t1\nq1\tQ0\td2\t1\n")
    assert [row[1:3] for row in judged(folder)] == [("query 0", "d1"), ("query 1", "d2")]


def test_queries_may_be_named_by_id_and_in_any_form_of_unicode(folder: Path) -> None:
    files.write_jsonl(folder / "queries.jsonl", [{"id": 7, "text": "seven"}, {"_id": "u\u0308", "text": "two dots"}])
    files.write_text(folder / "qrels/test.tsv", "7\td1\t1\n\u00fc\td1\t1\n u\u0308 \td2\t1\n")
    assert [row[1:3] for row in judged(folder)] == [("seven", "d1"), ("two dots", "d1"), ("two dots", "d2")]


@pytest.mark.parametrize(
    ("qrels", "message"),
    [
        ("q0\td1\n", ", line 1: expected the ids of a query and a document and a score"),
        ("q0\td1\t1\nq0 d1 1\n", ", line 2: expected the ids of a query and a document and a score"),
        ("q0\t0\td1\t1\t1\n", ", line 1: expected the ids of a query and a document and a score"),
        (f"{HEADER}q0\td1\tyes\n", ", line 2: the score is not an integer"),
        (f"{HEADER}q0\td1\t0.5\n", ", line 2: the score is not an integer"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(qrels: str, message: str, folder: Path) -> None:
    files.write_jsonl(folder / "queries.jsonl", [{"_id": "q0", "text": "a"}, {"_id": "empty", "text": " "}])
    files.write_text(folder / "qrels/test.tsv", qrels)
    with pytest.raises(UserError) as error:
        list(rows(folder))
    assert str(error.value).startswith(f"{folder}/qrels/test.tsv{message.format(folder=folder)}")


def test_a_query_that_is_not_there_is_named_and_the_others_go_on(folder: Path) -> None:
    files.write_jsonl(folder / "queries.jsonl", [{"_id": "q0", "text": "a"}, {"_id": "empty", "text": " "}])
    files.write_text(folder / "qrels/test.tsv", f"{HEADER}q9\td1\t1\nempty\td1\t1\nq8\td1\t0\nq0\td1\t1\n")
    assert [{key: row[key] for key in row if "query" in key} for _, row in rows(folder)] == [
        {"no_query": "no query has the id q9"},
        {"no_query": "the query empty has no text"},
        {"query": "a", "query_id": "q0"},
    ]


@pytest.mark.parametrize("text", ["a", "b"], ids=["the same text", "another text"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_id_that_two_queries_have_is_refused(text: str, packed: bool, folder: Path) -> None:
    path = folder / "queries.jsonl"
    files.write_jsonl(path, [{"_id": "0", "text": "a"}, {"_id": "1", "text": "c"}, {"_id": 0, "text": text}])
    if packed:
        (folder / "queries.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    files.write_text(folder / "qrels/test.tsv", f"{HEADER}0\td1\t1\n")
    with pytest.raises(UserError, match=r"queries\.jsonl.*, line 3: an earlier query has the id 0, too"):
        list(rows(folder))


def test_a_score_may_be_written_with_a_point(folder: Path) -> None:
    files.write_text(folder / "qrels/test.tsv", "q0\td1\t1.0\nq1\td1\t0.0\nq2\td2\t2.\n")
    assert [row[1:3] for row in judged(folder)] == [("query 0", "d1"), ("query 2", "d2")]


@pytest.mark.parametrize("qrels", [None, "test.txt"])
def test_queries_without_judgements_are_no_documents(qrels: str | None, folder: Path) -> None:
    if qrels:
        files.write_text(folder / "qrels" / qrels, "q0 0 d1 1\n")
    assert not is_beir(folder)
    assert corpus_of(folder) == folder / "corpus.jsonl"
    (warning,) = warnings_of(folder)
    assert "qrels/test.tsv" in warning


def test_the_files_may_be_packed(folder: Path) -> None:
    files.write_text(folder / "qrels/test.tsv", "q1\td1\t1\n")
    for name in ("corpus.jsonl", "queries.jsonl"):
        with gzip.open(folder / f"{name}.gz", "wb") as packed:
            packed.write((folder / name).read_bytes())
        (folder / name).unlink()
    assert corpus_of(folder) == folder / "corpus.jsonl.gz"
    assert [row[1:3] for row in judged(folder)] == [("query 1", "d1")]
    assert warnings_of(folder) == ()
