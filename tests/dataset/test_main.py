"""The stage as it runs: what it writes is read back from its files, by pyarrow alone."""

import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from fieldtune.retrieval import ranking
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.dataset.__main__ import work
from tests.dataset.workspace import Workspace, changed, documents, jaccard

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "dev", "test")
Row = dict[str, Any]


def run(folder: Path, hash_seed: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.run(
        [sys.executable, "-m", "stages.dataset"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def build(made: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the stage in this process."""
    made.write(folder)
    monkeypatch.chdir(folder)
    return work()


def table(name: str) -> list[Row]:
    rows: list[Row] = pq.read_table(paths.DATASET / f"{name}.parquet").to_pylist()
    return rows


def report() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(paths.DATASET_REPORT.read_text(encoding="utf-8"))
    return read


def answers(name: str) -> dict[str, set[str]]:
    """query id → passages that answer it, in one set of the qrels."""
    answers_of: dict[str, set[str]] = {}
    for row in table("qrels"):
        if row["set"] == name:
            answers_of.setdefault(row["query_id"], set()).add(row["passage_id"])
    return answers_of


def planted() -> Workspace:
    """120 sections of their own in 12 documents, and families of copies across documents d0 … d11."""
    made = documents(120, queries=2)
    for family in range(12):
        text = " ".join(made.words(40))
        vector = made.direction()
        for copy in range(5):
            near = changed(text, *range(copy // 2, copy // 2 + copy % 2))  # exact ones, and one word changed
            other_title = made.near(vector, 0.3 if copy == 3 else 0.96)
            passage = made.passage(f"d{(family + copy) % 12}.md", f"Copy {family} {copy}", near, other_title)
            for _ in range(2):
                made.query(passage)
    # A licence in 30 documents, and its next edition in 30 others
    licence = " ".join(made.words(60))
    vector = made.direction()
    for number in range(60):
        text = changed(licence, 30) if number % 2 else licence
        made.query(made.passage(f"l{number}.md", "Licence", text, made.near(vector, 0.99)))
    # Pairs of long sections that share their second piece, and nothing else
    for pair in range(12):
        text, vector = " ".join(made.words(40)), made.direction()
        for number in range(2):
            made.query(made.passage(f"long{pair}{number}.md", "Long"))
            made.query(made.passage(f"long{pair}{number}.md", "Long", text, made.near(vector, 0.97), piece=2))
    return made


@pytest.fixture(scope="module")
def leak_proof(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Path]:
    made, folder = planted(), tmp_path_factory.mktemp("planted")
    made.write(folder)
    done = run(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return made, folder


@cache
def copies_of(made: Workspace) -> dict[str, set[str]]:
    """passage id → itself and its copies, every pair compared."""
    texts = {row["id"]: row["text"] for row in made.passages}
    return {one: {other for other in texts if jaccard(texts[one], texts[other]) >= 0.8} for one in texts}


def test_no_copy_is_on_another_side(leak_proof: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, folder = leak_proof
    monkeypatch.chdir(folder)
    copies = copies_of(made)
    section_of = {row["id"]: (row["source"], row["section"]) for row in made.passages}
    splits_of: dict[object, set[str]] = {}
    for split in SPLITS:
        for row in table(f"{split}_ids"):
            for passage in copies[row["positive_id"]]:
                splits_of.setdefault(passage, set()).add(split)
            splits_of.setdefault(section_of[row["positive_id"]], set()).add(split)
    assert {place: splits for place, splits in splits_of.items() if len(splits) > 1} == {}
    assert sum(len(copies[row["positive_id"]]) > 1 for split in SPLITS for row in table(f"{split}_ids")) > 100
    cluster_of = {row["passage_id"]: row["cluster"] for row in table("clusters")}
    assert all(cluster_of[one] == cluster_of[other] for one, others in copies.items() for other in others)


def test_no_copy_is_a_negative(leak_proof: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, folder = leak_proof
    monkeypatch.chdir(folder)
    copies = copies_of(made)
    section_of = {row["id"]: (row["source"], row["section"]) for row in made.passages}
    for split in SPLITS:
        for row in table(f"{split}_ids"):
            negatives = [row[f"negative_{number}_id"] for number in (1, 2, 3, 4)]
            assert len(set(negatives)) == 4
            assert copies[row["positive_id"]].isdisjoint(negatives)
            assert section_of[row["positive_id"]] not in {section_of[negative] for negative in negatives}


def test_copies_answer_too(leak_proof: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made, folder = leak_proof
    monkeypatch.chdir(folder)
    texts = {row["id"]: row["text"] for row in made.passages}
    judged = {**answers("synthetic"), **answers("dev")}
    positive_of = {row["query_id"]: row["positive_id"] for split in ("dev", "test") for row in table(f"{split}_ids")}
    assert judged.keys() == positive_of.keys()
    for query, right in judged.items():
        assert {passage for passage, text in texts.items() if text == texts[positive_of[query]]} <= right
    pieces = [right for query, right in judged.items() if positive_of[query].endswith("#long-2")]
    assert pieces
    assert {len(right) for right in pieces} == {4}  # both pieces of both sections


def test_a_near_copy_answers_where_the_titles_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents(30)
    _, text, vector = made.passage("a.md", "Asked")
    made.ask("my question", "a.md", "asked")
    made.passage("b.md", "Same", changed(text, 7), made.near(vector, 0.95))
    made.passage("c.md", "Other title", changed(text, 9), made.near(vector, 0.5))
    build(made, tmp_path, monkeypatch)
    assert answers("real") == {"r000000": {"a.md#asked", "b.md#same"}}


def test_what_answers_partly_is_judged_and_neither_trained_on_nor_a_negative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = documents(60)
    whole, part, copy = (made.passage(f"{name}.md", "Place") for name in ("whole", "part", "other"))
    text, vector = part[1:]
    made.passage("copy.md", "Place", text, made.near(vector, 0.99))
    for query, split in (("tested", "test"), ("trained on", "train")):
        made.ask(query, "whole.md", "Place", split=split, relevance=2)
        made.ask(query, "part.md", "Place", split=split, relevance=1)
    made._vectors["real"][1] = made.near(vector, 0.9)  # what answers partly is the nearest of all
    build(made, tmp_path, monkeypatch)
    graded = {row["passage_id"]: row["relevance"] for row in table("qrels") if row["set"] == "real"}
    assert graded == {whole[0]: 1, part[0]: 0.5, "copy.md#place": 0.5}
    (pair,) = [row for row in table("train_ids") if row["query_id"] == "r000001"]
    assert pair["positive_id"] == whole[0]
    assert {part[0], "copy.md#place"}.isdisjoint(pair.values())
    assert copy[0] not in graded


def test_columns_are_aligned_and_load_as_sentence_transformers_expects(
    leak_proof: tuple[Workspace, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, folder = leak_proof
    monkeypatch.chdir(folder)
    texts = {row["id"]: f"{row['title']}\n{row['text']}" for row in made.passages}
    queries = [row["query"] for row in made.queries]
    for split in SPLITS:
        loaded = load_dataset(
            "parquet", data_files=str(paths.DATASET / f"{split}.parquet"), split="train", cache_dir=str(tmp_path)
        )
        assert loaded.column_names == ["anchor", "positive", *(f"negative_{n}" for n in (1, 2, 3, 4))]
        for row, ids in zip(loaded, table(f"{split}_ids"), strict=True):
            assert row["anchor"] == queries[int(ids["query_id"].removeprefix("q"))]
            assert row["positive"] == texts[ids["positive_id"]]
            assert [row[f"negative_{n}"] for n in (1, 2, 3, 4)] == [
                texts[ids[f"negative_{n}_id"]] for n in (1, 2, 3, 4)
            ]


def test_another_process_writes_the_same_bytes(leak_proof: tuple[Workspace, Path], tmp_path: Path) -> None:
    made, folder = leak_proof
    made.write(tmp_path)
    assert run(tmp_path, hash_seed=1).returncode == 0
    written = sorted((folder / paths.DATASET).iterdir())
    assert len(written) == 9
    for file in written:
        assert file.read_bytes() == (tmp_path / paths.DATASET / file.name).read_bytes(), file.name


def test_counts_of_the_report_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents(40)
    passage = made.passage("x.md", "X")
    for query in ("Asked twice", "asked twice"):
        made.query(passage, query)
    made.query(made.passage("y.md", "Y"), "what people typed")
    made.ask("What people  typed", "doc0.md", "Part 3")
    summary = build(made, tmp_path, monkeypatch)
    read = report()
    assert read["generated"] == 123
    assert read["dropped"] == {"ambiguous": 0, "repeated": 1, "same_as_a_real_query": 1, "round_trip": 0}
    assert read["kept"] == 121 == sum(read[split]["pairs"] for split in SPLITS)
    for split in SPLITS:
        rows = table(f"{split}_ids")
        assert read[split]["pairs"] == len(rows) == len(table(split))
        assert read[split]["passages"] == len({row["positive_id"] for row in rows})
    assert read["real"] == {"test": 1, "dev": 0, "train": 0, "style": 0}
    assert (read["passages"], read["split"]) == (42, {"unit": "section", "groups": 42})
    assert "(2 queries dropped); 1 real test queries" in summary
    assert Counter(row["set"] for row in table("qrels")) == {
        "real": 1,
        "real_hard": 1,
        "synthetic": read["test"]["pairs"],
        "dev": read["dev"]["pairs"],
    }


def test_without_the_round_trip_nothing_is_ranked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents(40)
    made.write(tmp_path)
    config = tmp_path / paths.CONFIG / "dataset.yaml"
    config.write_text(config.read_text().replace("round_trip: 100", "round_trip: 0"))
    monkeypatch.chdir(tmp_path)
    for name in ("dense", "bm25"):
        monkeypatch.setattr(ranking, name, lambda *_: pytest.fail("a ranking that nobody reads"))
    work()
    assert report()["dropped"]["round_trip"] == 0


def test_hard_real_queries_say_little_of_the_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents(30)
    made.passage("a.md", "Copy Image")
    made.passage("a.md", "Copy Image~2")
    for place in ("Copy Image", "copy-image", "Copy Image~2"):
        made.ask(f"copy an image: {place}", "a.md", place)  # both words
        made.ask(f"duplicate an image [{len(made.real)}]", "a.md", place)  # one of two
    made.passage("a.md", "Tag~2")
    made.ask("tag it", "a.md", "tag~2")  # the number is no word of the heading
    made.ask("copy an image, the file says it is hard", "a.md", "Copy Image", overlap=0.2)
    made.ask("anything, anywhere in the file", "doc0.md")
    build(made, tmp_path, monkeypatch)
    assert sorted(answers("real_hard")) == ["r000001", "r000003", "r000005", "r000007", "r000008"]
    assert len(answers("real")) == 9


def test_negatives_that_one_query_lacks_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(documents(4, in_each=2), tmp_path, monkeypatch)
    assert {report()[split]["negatives"] for split in SPLITS} == {3}  # four passages: three others
    assert list(table("train")[0]) == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]


@pytest.mark.parametrize("sections", [3, 20])
def test_one_document_is_enough(sections: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(documents(sections, in_each=sections), tmp_path, monkeypatch)
    assert report()["kept"] == 3 * sections
    assert answers("real") == {}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (documents(2), "split train has no queries: 6 of 6 generated ones were kept"),
        (documents(30, queries=0), "split train has no queries: 0 of 0 generated ones were kept"),
    ],
)
def test_too_little_is_an_error_that_says_where_to_look(
    made: Workspace, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError) as failure:
        build(made, tmp_path, monkeypatch)
    assert message in str(failure.value)
    for key in ("documents:", "queries:", "generator:"):
        assert key in str(failure.value)
    assert not paths.DATASET.exists()


def test_real_queries_for_training_and_for_dev_go_there_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = documents(60)
    for number in range(20):
        made.ask(f"trained {number}", f"doc{number // 10}.md", f"Part {number}", group="train")
    made.ask("trained 0", "doc5.md", "Part 59", group="train")
    made.ask("chosen by", "doc3.md", "Part 30", group="dev")
    made.ask("tested", "doc4.md", "Part 40")
    made.query(made.passage("x.md", "X"), "Trained 3")  # generated, and a real query's words
    build(made, tmp_path, monkeypatch)
    trained_on = {f"doc{number // 10}.md#part-{number}" for number in range(20)} | {"doc5.md#part-59"}
    train = [row for row in table("train_ids") if row["kind"] == "real"]
    assert {row["positive_id"] for row in train} == trained_on
    assert len(train) == 21
    assert "trained 0" in [row["anchor"] for row in table("train")]
    # What they ask for is in training alone, with its generated queries.
    assert all(row["positive_id"] not in trained_on for split in ("dev", "test") for row in table(f"{split}_ids"))
    # Two answers of one query are no negatives of one another.
    cluster = {row["passage_id"]: row["cluster"] for row in table("clusters")}
    assert cluster["doc0.md#part-0"] == cluster["doc5.md#part-59"] != cluster["doc0.md#part-1"]
    assert answers("real") == {"r000021": {"doc4.md#part-40"}}
    assert answers("dev")["r000020"] == {"doc3.md#part-30"}
    assert report()["real"] == {"test": 1, "dev": 1, "train": 20, "style": 0}
    assert report()["dropped"]["same_as_a_real_query"] == 1


@pytest.mark.parametrize(
    ("provider", "advice"),
    [
        ("keyphrases", "or let a model write several per passage (`generator: claude` or `local`)"),
        ("claude", "or request more queries per passage (`queries_per_passage` in conf/generator/)"),
    ],
)
def test_more_queries_a_passage_are_asked_only_of_who_can_write_them(
    provider: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = documents(40)
    for query in made.queries:
        query["provider"] = provider
    build(made, tmp_path, monkeypatch)
    assert report()["guidance"].endswith(f"all your passages have queries, so add documents {advice}")
