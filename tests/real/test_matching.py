"""Rows of real queries against passages made by hand."""

from typing import Any

import pytest

from fieldtune.corpus.passages import section_hash
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import Places
from stages.real.matching import Matched, match


def passage(source: str, section: str, text: str, piece: int = 1, document: str = "") -> dict[str, Any]:
    slug = section.lower().replace(" ", "-") + (f"-{piece}" if piece > 1 else "")
    return {
        "id": f"{source}#{slug}",
        "source": source,
        "document": document or source,
        "section": section,
        "title": f"Guide {section}",
        "text": text,
        "section_sha256": section_hash(f"{source} {section}"),
    }


PASSAGES = [
    passage("guide.md", "Copy Image", "Copies an image to another region of the same account."),
    passage("guide.md", "Delete Image", "Removes an image for good.\nIt cannot be brought back."),
    passage("guide.md", "Delete Image", "Snapshots of it stay until they are removed, too.", piece=2),
    passage(
        "more/faq.md",
        "Billing",
        "Every hour that has begun is billed as a whole hour, whether it was used or not, at the end.",
    ),
    passage("more/all.jsonl", "r1", "A record.", document="Record"),
]


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
    found = match([("q.csv", row) for row in rows], passages)
    assert {query.query: query.sections for query in found.queries} == {
        "is so: one": ["1.md#Text"],
        copies[0]: [f"{number}.md#Text" for number in range(5, 10)],
    }
    short = "fewer than 3 words are too short a text to be found by"
    assert [(row["query"], row["reason"]) for row in found.unmatched] == [
        ("1987", short),
        ("that is so", "its text stands in 4 different sections"),
        ("so: one", short),
    ]


def test_an_id_in_two_files_says_no_place() -> None:
    places = Places([passage(f"{name}.jsonl", "r1", name, document=name) for name in "abc"])
    assert places.find({"passage_id": "r1"}) == []
    assert places.find({"passage_id": "b.jsonl#r1"}) == [1]
    assert places.why_not({"passage_id": "r1"}).startswith("several files have a record of this id")
    assert places.why_not({"passage_id": "r2"}) == ""


def test_places_are_found_in_any_form_of_unicode() -> None:
    places = Places([passage("u\u0308ber.md", "Größe", "a")])  # as some file systems spell it
    for source in ("u\u0308ber.md", "über.md"):
        assert places.find({"source": source, "section": "Gro\u0308ße"}) == [0]
        assert places.find({"passage_id": f"{source}#größe"}) == [0]


def test_the_nearest_of_many_names_and_of_a_named_file() -> None:
    names = [f"guides/part-{number % 7}/chapter-{number:04}.md" for number in range(3000)]
    places = Places([passage(name, section, "a") for name in names for section in ("Copy Image", "Share")])
    assert places.nearest({"passage_id": "guides/part-0/chapter-2100.md#copy-picture"}) == [
        "guides/part-0/chapter-2100.md#copy-image",
        "guides/part-0/chapter-2100.md#share",
    ]
    assert places.nearest({"source": "guide/part-0/chapter-2100.markdown"})[0] == "guides/part-0/chapter-2100.md"


def test_few_rows_get_candidates() -> None:
    found = matched(*({"query": f"q{number}", "source": "guides.md"} for number in range(250)))
    assert (found.unmatched_rows, len(found.unmatched)) == (250, 200)
    assert [bool(row["candidates"]) for row in found.unmatched] == [True] * 20 + [False] * 180


def test_a_text_in_scripts_without_blanks_and_with_vowel_signs() -> None:
    texts = [
        "您可以在设置页面重置密码。",
        "删除存储桶之前必须先清空其中的所有对象，否则服务会返回错误",
        "अपना पासवर्ड कि बदलें",
        "अपना पासवर्ड की बदलें",
    ]
    places = Places([passage(f"{number}.md", "Text", text) for number, text in enumerate(texts)])
    assert places.find({"passage": "在设置页面重置密码"}) == [0]
    assert places.find({"passage": "删除存储桶之前必须清空其中的所有对象，否则服务会返回错误"}) == [1]  # nearly
    assert places.find({"passage": "अपना पासवर्ड की बदलें"}) == [3]
    assert places.best("如何重置密码", [1, 0]) == 0


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
    found = matched({"query": "anything", **place})
    assert (found.queries, found.log, found.unmatched_rows) == ([], [], 1)
    (row,) = found.unmatched
    assert (row["where"], row["query"], row["place"]) == ("q.csv, line 2", "anything", place)
    assert row["candidates"][: len(candidates)] == candidates
    assert bool(row["candidates"]) == bool(candidates)


@pytest.mark.parametrize("documents", ["own/docs", "./own/docs/", "/home/me/team/own/docs"])
@pytest.mark.parametrize("before", ["", "./", "own/docs/", "./own/docs/", "docs/", "/home/me/team/own/docs/"])
def test_a_file_with_the_documents_folder_before_it(before: str, documents: str) -> None:
    places = Places(PASSAGES, documents)
    assert places.find({"source": f"{before}more/faq.md", "section": "Billing"}) == [3]
    assert places.find({"source": f"{before}faq.md"}) == []
    assert places.nearest({"source": f"{before}guide.md", "section": "Copy"})[0] == "guide.md#Copy Image"


def test_a_file_of_another_folder_is_not_taken_for_one_of_the_documents() -> None:
    places = Places(PASSAGES, "own/docs")
    for source in ("other/guide.md", "/home/guide.md", "docs/own/guide.md", "../guide.md"):
        assert places.find({"source": source}) == []
    twice = Places([passage("guide.md", "A", "a"), passage("docs/guide.md", "B", "b")], "docs")
    assert [twice.find({"source": source}) for source in ("guide.md", "docs/guide.md", "docs/docs/guide.md")] == [
        [0],
        [1],
        [1],
    ]


def test_rows_of_one_query_are_joined_and_the_best_piece_is_chosen() -> None:
    (query,) = matched(
        {"query": "do snapshots stay", "source": "guide.md", "section": "Delete Image"},
        {"query": " Do  Snapshots stay", "source": "guide.md", "section": "Copy Image"},
    ).queries
    assert query.query == "do snapshots stay"  # case and white space make no other query
    assert query.sections == ["guide.md#Delete Image", "guide.md#Copy Image"]
    assert query.passages == ["guide.md#delete-image-2", "guide.md#copy-image"]


def test_overlap_is_of_the_heading_it_repeats_most_unless_the_file_says_it() -> None:
    place = {"source": "guide.md", "section": "Copy Image"}
    counted, said = matched(
        {"query": "copy it", **place},
        {"query": "how to copy", **place, "overlap": 0.25},
    ).queries
    assert (counted.overlap, said.overlap) == (0.5, 0.25)


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
    found = matched(
        {"query": "billing"},
        {"query": "price of an hour", "group": "dev", **place},
        {"query": "what does an hour cost", "group": "train", **place},
        {"query": "Billing"},
    )
    assert found.log == ["billing"]
    assert [query.split for query in found.queries] == ["dev", "train"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"source": "guide.md"}], "q.csv, line 2: `query` is needed"),
        ([{"query": "a", "group": "tests"}], "q.csv, line 2: group is tests: it must be one of test, dev, train"),
        ([{"query": "a", "overlap": "1.5"}], "q.csv, line 2: overlap is 1.5"),
        (
            [{"query": "a b", "source": "guide.md"}, {"query": " A  b", "source": "guide.md", "group": "train"}],
            "q.csv, line 3: this query is in the group train, and in test at q.csv, line 2",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError) as error:
        matched(*rows)
    assert said in str(error.value)
