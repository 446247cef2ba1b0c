"""What report.json says of the data set, by hand."""

import json
from typing import Any

import pytest

from stages.dataset.queries import TrainingQueries, TrainingQuery
from stages.dataset.report import PeoplesQueries, describe, words
from stages.dataset.split import SplitQueries

PASSAGES = ["Copy image\nCopies an image to another account.", "Delete image\nDeletes it."]


def described(**changes: Any) -> dict[str, Any]:
    """Six generated queries of two passages, two of them dropped, and a real one for training."""
    parts: dict[str, Any] = {
        "queries": [
            "copy the image",  # copy, image: all in passage 0
            "give a picture to the other account",  # of give, picture, other and account the last alone is there
            "dropped",
            "delete one",  # half
            "dropped too",
            "image copies deleted",  # delet and image of three
            "a real one",
        ],
        "kinds": ["task", "task", "keyword", "question", "question", "keyword", "real"],
        "positives": [0, 0, 0, 1, 1, 1, 0],
        "passages": PASSAGES,
        "generated": 6,
        "dropped": {2: "ambiguous", 4: "round_trip"},
        "splits": {"train": [0, 1, 6], "dev": [3], "test": [5]},
        "real": [],
        "log": [],
    }
    parts |= changes
    rows = [
        TrainingQuery(f"q{row}", text, kind, passage, passage, {passage})
        for row, (text, kind, passage) in enumerate(
            zip(parts["queries"], parts["kinds"], parts["positives"], strict=True)
        )
    ]
    candidates = TrainingQueries(rows[: parts["generated"]], rows[parts["generated"] :])
    return describe(
        SplitQueries(candidates, parts["dropped"], parts["splits"]),
        parts["passages"],
        PeoplesQueries(parts["real"], parts["log"]),
    )


def test_each_step_says_what_is_left() -> None:
    assert list(described()["steps"].items()) == [
        ("generated", 6),
        ("after_ambiguous", 5),
        ("after_repeated", 5),
        ("after_same_as_a_real_query", 5),
        ("after_round_trip", 4),
        ("kept", 4),
        ("real_for_training", 1),
        ("train", 3),
        ("dev", 1),
        ("test", 1),
    ]


def test_kinds_are_those_of_kept_queries() -> None:
    assert described()["kinds"] == {"keyword": 1, "question": 1, "real": 1, "task": 2}


def test_first_words_are_counted_for_each_source_by_the_same_names() -> None:
    openings = described(real=[("Copy it now", [0]), ("how so", [0])], log=["copy", "copy that", "why"])["openings"]
    assert openings["real"] | {"copy": 1, "how": 1} == openings["real"]
    assert openings["log"] | {"copy": 2, "how": 0, "why": 1, "others": 0} == openings["log"]
    assert list(openings["generated"]) == list(openings["real"]) == list(openings["log"])
    assert next(iter(openings["log"])) == "copy"  # two of three, the highest share
    assert sum(openings["generated"].values()) == 4


def test_ten_queries_of_each_source_are_shown() -> None:
    examples = described(real=[("two words", [0])], log=[f"query {number}" for number in range(30)])["examples"]
    assert examples["real"] == ["two words"]
    assert len(examples["log"]) == 10
    assert set(examples["log"]) < {f"query {number}" for number in range(30)}


def filled(histogram: dict[str, int]) -> dict[str, int]:
    return {label: count for label, count in histogram.items() if count}


def test_lengths_of_generated_and_real_queries_and_of_a_log() -> None:
    lengths = described(real=[("two words", [0])], log=["image", "w " * 25, "w " * 24, "w " * 10])["lengths"]
    # 3, 7, 2 and 3 words; the real query that is trained on is not a generated one
    assert lengths["queries"]["generated"]["n"] == 4
    assert lengths["queries"]["generated"]["median"] == 3
    assert filled(lengths["queries"]["generated"]["histogram"]) == {"2": 1, "3": 2, "6–7": 1}
    assert filled(lengths["queries"]["real"]["histogram"]) == {"2": 1}
    assert filled(lengths["queries"]["log"]["histogram"]) == {"1": 1, "8–10": 1, "16–24": 1, "25 or more": 1}
    assert lengths["queries"]["log"]["median"] == 17
    assert list(lengths["queries"]["log"]["histogram"]) == [
        "1", "2", "3", "4", "5", "6–7", "8–10", "11–15", "16–24", "25 or more",
    ]  # fmt: skip
    assert (lengths["passages"]["n"], lengths["passages"]["median"]) == (2, 6)  # 8 and 4
    assert filled(lengths["passages"]["histogram"]) == {"1–24": 2}


def test_a_log_alone_is_compared_by_length_alone() -> None:
    report = described(log=["image"])
    assert list(report["lengths"]["queries"]) == ["generated", "log"]
    assert list(report["leakage"]) == ["generated"]


def test_leakage_is_the_share_of_a_querys_words_that_its_passage_repeats() -> None:
    leakage = described(real=[("copying images", [1, 0]), ("nothing of it", [0]), ("delete account", [])])["leakage"]
    # 1, 1/4, 1/2, 2/3
    assert leakage["generated"] == {
        "n": 4,
        "mean": 0.604,
        "histogram": {
            "under 20 %": 0, "20–39 %": 1, "40–59 %": 1, "60–79 %": 1, "80–99 %": 0, "100 %": 1,
        },
    }  # fmt: skip
    # Of two answers the better one counts; there may be none.
    assert filled(leakage["real"]["histogram"]) == {"100 %": 1, "under 20 %": 2}
    assert leakage["real"]["mean"] == 0.333


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("w1 x2 x3 x4 x5", "20–39 %"),
        ("w1 w2 x3 x4 x5", "40–59 %"),
        ("w1 w2 w3 x4 x5", "60–79 %"),
        ("w1 w2 w3 w4 x5", "80–99 %"),
        ("w1 w2 w3 w4 w5", "100 %"),
        ("x1 x2 x3 x4 x5 w1", "under 20 %"),
    ],
)
def test_a_share_on_a_bound_belongs_to_the_bin_that_starts_there(query: str, label: str) -> None:
    report = described(passages=["w1 w2 w3 w4 w5", ""], real=[(query, [0])])
    assert filled(report["leakage"]["real"]["histogram"]) == {label: 1}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" copy  an\nimage ", 3),
        ("naïve cafés — don't", 4),
        ("复制映像。", 4),  # the full stop is none
        ("イメージをコピー", 8),
        ("S3のバケット", 6),  # S3, and five characters
        ("이미지를 복사", 2),
        ("انسخ الصورة", 2),
    ],
)
def test_words_are_between_blanks_or_characters(text: str, count: int) -> None:
    assert words(text) == count


def test_scripts_without_blanks_are_compared_by_pairs_of_characters() -> None:
    report = described(
        passages=["将映像复制到其他账户", "x"], real=[("复制映像", [0]), ("如何复制", [0]), ("删除", [0])]
    )
    # 复制, 制映, 映像: two of three; 如何, 何复, 复制: one of three; 删除: none
    assert filled(report["leakage"]["real"]["histogram"]) == {"60–79 %": 1, "20–39 %": 1, "under 20 %": 1}


SHORT, LONG = ["a b"] * 20, ["one two three four five six"] * 20


def remarks(generated: str, real: list[tuple[str, list[int]]] | None = None, log: list[str] | None = None) -> list[str]:
    report: list[str] = described(
        queries=[generated] * 4, kinds=["task"] * 4, positives=[0] * 4, generated=4, dropped={},
        splits={"train": [0, 1, 2, 3]}, real=real or [], log=log or [],
    )["remarks"]  # fmt: skip
    return report


def test_generated_queries_of_another_length_are_said() -> None:
    assert remarks("bring a picture home", log=["w w w"] * 20) == []  # 4 words, 1.33 times 3
    assert remarks("bring a picture home", log=["w w"] * 19) == []  # too few to say
    assert remarks("bring a picture home", log=["w w"] * 20) == [
        "Generated queries have 4 words, those of your search log 2 (medians): the model learns from queries whose "
        "length differs from what people type"
    ]
    both = remarks("bring a picture home", real=[("say w w w w w", [0])] * 20, log=["w w"] * 20)
    assert both[0].startswith("Generated queries have 4 words, your real queries 6 and those of your search log 2 (me")


def test_easier_or_harder_generated_queries_are_said() -> None:
    easy, hard = ("copy an image now", "bring a picture home")  # 2 of 3 stems, and none
    assert remarks(easy, real=[(easy, [0])] * 20) == []
    assert remarks(easy, real=[(hard, [0])] * 20) == [
        "A passage repeats 67% of the words of its generated queries, and 0% of the words of real ones: the generated "
        "ones are easier than what people type, so believe the scores on real queries"
    ]
    assert (
        "0% of the words of its generated queries, and 67% of the words of real ones: people use the"
        in (remarks(hard, real=[(easy, [0])] * 20)[0])
    )


def test_without_real_queries_only_much_is_said() -> None:
    assert remarks("copy an image now") == []
    assert remarks("copies image", real=[("bring home", [0])] * 19) == [
        "A passage repeats 100% of the words of its generated queries: word search finds it as it is; only real "
        "queries show how people fare who use other words"
    ]


def test_of_many_queries_some_are_looked_at_of_every_kind() -> None:
    queries = ["one", "two words"] * 12_000  # every second one is long: each 2nd would be of one length
    report = described(
        queries=queries, kinds=["task"] * 24_000, positives=[0] * 24_000, generated=24_000, dropped={},
        splits={"train": range(24_000)},
    )  # fmt: skip
    lengths = report["lengths"]["queries"]["generated"]
    assert lengths["n"] == 10_000
    assert 4_800 < lengths["histogram"]["1"] < 5_200
    assert report["kinds"] == {"task": 24_000}


def test_json_and_the_same_each_time() -> None:
    assert json.loads(json.dumps(described(log=SHORT))) == described(log=SHORT)
