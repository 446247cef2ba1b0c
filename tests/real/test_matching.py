"""Rows of real queries against passages made by hand."""

from typing import Any

import pytest

from fieldtune.corpus.passages import section_hash
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.runtime.errors import UserError
from stages.real.matching import Matched, match
from tests.sources.made_passages import PASSAGES, passage


def matched(*rows: dict[str, Any]) -> Matched:
    return match(((f"q.csv, line {number}", row) for number, row in enumerate(rows, start=2)), PASSAGES)


@pytest.mark.parametrize(
    ("place", "sections"),
    [
        ({"source": "guide.md", "section": "Copy Image"}, ["guide.md#Copy Image"]),
        ({"source": "guide.md", "section": "copy-image"}, ["guide.md#Copy Image"]),
        ({"source": "guide.md"}, ["guide.md#Copy Image", "guide.md#Delete Image"]),
        ({"passage_id": "guide.md#delete-image-2"}, ["guide.md#Delete Image"]),
        ({"passage_id": "r1"}, ["more/all.jsonl#r1"]),
        ({"text_sha256": section_hash("guide.md Delete Image")}, ["guide.md#Delete Image"]),
        # To the letter but for case, punctuation and white space; nearly so; and over the border of two pieces.
        ({"passage": "an IMAGE, for good. It cannot"}, ["guide.md#Delete Image"]),
        (
            {"passage": "Every hour that has begun is billed as a whole hour, whether it was used or not, at last"},
            ["more/faq.md#Billing"],
        ),
        ({"passage": "It cannot be brought back. Snapshots of it stay until"}, ["guide.md#Delete Image"]),
    ],
)
def test_every_way_to_name_a_place(place: dict[str, str], sections: list[str]) -> None:
    (query,) = matched({"query": "anything", **place}).queries
    assert query.sections == sections


def test_a_text_that_may_be_from_anywhere_says_no_place() -> None:
    texts = ["It was built in 1987.", *(f"Yes, that is so: {word}." for word in ("one", "two", "three", "four"))]
    copies = ["Whatever is copied stays."] * 5
    passages = [passage(f"{number}.md", "Text", text) for number, text in enumerate(texts + copies)]
    for one, text in zip(passages, texts + copies, strict=True):
        one["section_sha256"] = section_hash(text)
    rows = [{"query": text, "passage": text} for text in ("1987", "that is so", "so: one", "is so: one", copies[0])]
    result = match([("q.csv", row) for row in rows], passages)
    assert {query.query: query.sections for query in result.queries} == {
        "is so: one": ["1.md#Text"],
        copies[0]: [f"{number}.md#Text" for number in range(5, 10)],
    }
    short = "a text of fewer than 3 words is too short to locate"
    assert [(row["query"], row["reason"]) for row in result.unmatched] == [
        ("1987", short),
        ("that is so", "its text appears in 4 different sections"),
        ("so: one", short),
    ]


def test_few_rows_get_candidates() -> None:
    result = matched(*({"query": f"q{number}", "source": "guides.md"} for number in range(250)))
    assert (result.unmatched_rows, len(result.unmatched)) == (250, 200)
    assert [bool(row["candidates"]) for row in result.unmatched] == [True] * 20 + [False] * 180


@pytest.mark.parametrize(
    ("place", "candidates"),
    [
        ({"source": "guide.md", "section": "Copy an Image"}, ["guide.md#Copy Image", "guide.md#Delete Image"]),
        ({"source": "faq.md", "section": "Billing"}, ["more/faq.md"]),
        ({"source": "guides.md"}, ["guide.md"]),
        ({"passage_id": "guide.md#copy-imag"}, ["guide.md#copy-image", "guide.md#delete-image"]),
        ({"passage": "the hour is over and nobody is billed"}, ["more/faq.md#billing"]),
        ({"passage": "zzz"}, []),
        ({"passage_id": "Billing"}, ["more/faq.md#billing"]),  # headings are no ids
    ],
)
def test_a_place_that_is_not_there_is_listed_with_what_is_near(place: dict[str, str], candidates: list[str]) -> None:
    result = matched({"query": "anything", **place})
    assert (result.queries, result.log, result.unmatched_rows) == ([], [], 1)
    (row,) = result.unmatched
    assert (row["where"], row["query"], row["place"]) == ("q.csv, line 2", "anything", place)
    assert row["candidates"][: len(candidates)] == candidates
    assert bool(row["candidates"]) == bool(candidates)


def test_rows_of_one_query_are_joined_and_the_best_piece_is_chosen() -> None:
    (query,) = matched(
        {"query": "do snapshots stay", "source": "guide.md", "section": "Delete Image"},
        {"query": " Do  Snapshots stay", "source": "guide.md", "section": "Copy Image"},
    ).queries
    assert query.query == "do snapshots stay"  # case and white space make no other query
    assert query.sections == ["guide.md#Delete Image", "guide.md#Copy Image"]
    assert query.passages == ["guide.md#delete-image-2", "guide.md#copy-image"]


COPY, DELETE = ({"source": "guide.md", "section": name} for name in ("Copy Image", "Delete Image"))
BILLING = {"source": "more/faq.md", "section": "Billing"}


def test_what_answers_partly_is_graded_and_no_answer() -> None:
    graded, plain = matched(
        {"query": "a", **COPY, "relevance": 1},
        {"query": "a", **DELETE, "relevance": "2"},
        {"query": "a", **BILLING, "relevance": 0},
        {"query": "b", **COPY, "relevance": 2.0},
        {"query": "b", **COPY, "relevance": 1},  # the higher counts
    ).queries
    assert (graded.sections, graded.passages) == (["guide.md#Delete Image"], ["guide.md#delete-image"])
    assert graded.grades == {"guide.md#Copy Image": 0.5, "guide.md#Delete Image": 1}
    assert graded.graded == {"guide.md#Delete Image": 1, "guide.md#Copy Image": 0.5}
    assert (plain.sections, plain.grades) == (["guide.md#Copy Image"], {})
    assert "grades" not in plain.row()
    assert RealQuery.from_row(graded.row()) == graded


def test_queries_without_a_whole_answer_are_in_the_log_and_counted() -> None:
    result = matched(
        {"query": "a", **COPY, "relevance": 1},
        {"query": "b", "answered": False},
        {"query": "c", "answered": "FALSE", **BILLING, "relevance": "1.0"},
        {"query": "d"},
        {"query": "e", **COPY, "answered": "true"},
        {"query": "f", **COPY, "relevance": 0},
        {"query": "g", "source": "gone.md", "relevance": 0},
    )
    assert [query.query for query in result.queries] == ["e"]
    assert result.log == ["a", "b", "c", "d", "f", "g"]
    assert (result.unanswered, result.partly, result.unmatched_rows) == (["b", "c"], 1, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"query": "a", **COPY, "relevance": 3}],
            r"line 2: relevance is 3: it must be 2 \(answers the query\), 1",
        ),
        ([{"query": "a", **COPY, "relevance": "yes"}], r"q\.csv, line 2: relevance is yes"),
        (
            [{"query": "a", "answered": "maybe"}],
            r"q\.csv, line 2: answered is maybe: it must be true or",
        ),
        ([{"query": "a", **COPY, "answered": False}], r"q\.csv, line 2: this query has an answer at q\.csv, line 2"),
        (
            [{"query": "A", "answered": False}, {"query": "a", **COPY}],
            r"line 3: this query has an answer at q\.csv, line 3, but `answered: false` at q\.csv, line 2: remove one",
        ),
    ],
)
def test_wrong_judgements_are_named(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        matched(*rows)


def test_overlap_is_of_the_heading_it_repeats_most_unless_the_file_says_it() -> None:
    place = {"source": "guide.md", "section": "Copy Image"}
    counted, given = matched(
        {"query": "copy it", **place},
        {"query": "how to copy", **place, "overlap": 0.25},
    ).queries
    assert (counted.overlap, given.overlap) == (0.5, 0.25)


@pytest.mark.parametrize(("title", "share"), [("Prices by the hour", 0.5), ("", 1.0)])
def test_the_heading_of_a_record_is_its_title(title: str, share: float) -> None:
    record = {
        **passage("all.jsonl", "r1", "Every hour is billed."),
        "document": title or "all.jsonl#r1",
        "title": title,
    }
    rows = [("line 1", {"query": "price of r1", "passage_id": "r1"})]
    assert match(rows, [record]).queries[0].overlap == share  # `price` of `price` and `hour`


def test_queries_without_a_place_are_a_log_and_groups_are_kept() -> None:
    place = {"source": "more/faq.md"}
    result = matched(
        {"query": "billing"},
        {"query": "price of an hour", "group": "dev", **place},
        {"query": "what does an hour cost", "group": "train", **place},
        {"query": "Billing"},
    )
    assert result.log == ["billing"]
    assert [query.split for query in result.queries] == ["dev", "train"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"source": "guide.md"}], "q.csv, line 2: no `query`"),
        ([{"query": "a", "group": "tests"}], "q.csv, line 2: group is tests: it must be one of test, dev, train"),
        ([{"query": "a", "overlap": "1.5"}], "q.csv, line 2: overlap is 1.5"),
        (
            [{"query": "a b", "source": "guide.md"}, {"query": " A  b", "source": "guide.md", "group": "train"}],
            "q.csv, line 3: this query is in the split train, but in test at q.csv, line 2",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError) as error:
        matched(*rows)
    assert message in str(error.value)
