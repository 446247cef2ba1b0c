"""Places that rows of a table name, found in passages made by hand."""

from typing import Any

import pytest

from fieldtune.corpus.passages import section_hash
from fieldtune.sources.places import Places, misnamed
from tests.sources.made_passages import PASSAGES, passage

PLACES = Places(PASSAGES)
COPY, DELETE, DELETE_2, BILLING, RECORD = range(5)  # rows of PASSAGES
TWELVE = "w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12"  # words, and so ten shingles


@pytest.mark.parametrize(
    ("row", "passages"),
    [
        ({"source": "guide.md", "section": "Delete Image"}, [DELETE, DELETE_2]),
        ({"source": "guide.md", "section": "delete-image"}, [DELETE, DELETE_2]),
        ({"source": "guide.md", "section": "delete-image-2"}, []),  # the second piece's id, no section's slug
        ({"source": "guide.md", "section": "Billing"}, []),  # of another file
        ({"source": " guide.md ", "section": ""}, [COPY, DELETE, DELETE_2]),
        ({"source": "faq.md"}, []),
        ({"passage_id": "guide.md#delete-image"}, [DELETE]),  # a passage, not its section
        ({"passage_id": "more/all.jsonl#r1"}, [RECORD]),
        ({"passage_id": "r1"}, [RECORD]),
        ({"passage_id": "Billing"}, []),  # only a record's section is an id
        ({"text_sha256": section_hash("guide.md Delete Image")}, [DELETE, DELETE_2]),
        ({"text_sha256": section_hash("of no section")}, []),
        ({"passage": "snapshots OF it, stay"}, [DELETE, DELETE_2]),
        ({"passage": "napshots of it stay"}, []),  # whole words only
        ({"passage": "of it"}, []),
    ],
)
def test_the_passages_at_a_place(row: dict[str, str], passages: list[int]) -> None:
    assert PLACES.find(row) == passages


@pytest.mark.parametrize("row", [{}, {"query": "a"}, {"section": "Billing"}, {"source": " ", "passage_id": None}])
def test_a_row_that_names_no_place(row: dict[str, Any]) -> None:
    assert PLACES.find(row) is None


def test_the_first_column_of_several_names_the_place() -> None:
    columns = {
        "text_sha256": section_hash("more/faq.md Billing"),
        "passage_id": "guide.md#copy-image",
        "passage": "Snapshots of it stay",
        "source": "more/all.jsonl",
    }
    places = []
    for name in list(columns):
        places.append(PLACES.find(columns))
        assert PLACES.find({**columns, name: "gone"}) == []  # and no other is looked at in its stead
        del columns[name]
    assert places == [[BILLING], [COPY], [DELETE, DELETE_2], [RECORD]]


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        (TWELVE, [0]),
        ("w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 x x", [0]),  # shares eight shingles of ten
        ("w1 w2 w3 w4 w5 w6 w7 w8 w9 x x x", []),  # seven
        ("w1_w2_w3", [0]),  # an underscore is a blank
        ("x y z", []),
    ],
)
def test_a_text_is_nearly_in_a_section_from_four_fifths_on(text: str, passages: list[int]) -> None:
    places = Places([passage("a.md", "A", TWELVE), passage("b.md", "B", "other words")])
    assert places.find({"passage": text}) == passages


@pytest.mark.parametrize(("sections", "clear"), [(3, True), (4, False)])
def test_a_text_may_stand_in_three_different_sections(sections: int, clear: bool) -> None:
    places = Places([passage(f"{number}.md", "A", f"the same words {number}") for number in range(sections)])
    assert places.find({"passage": "the same words"}) == (list(range(sections)) if clear else [])
    why = "" if clear else "its text appears in 4 different sections"
    assert places.why_not({"passage": "the same words"}) == why


def test_the_best_of_several_passages_shares_most_words() -> None:
    assert PLACES.best("do snapshots stay", [DELETE, DELETE_2]) == DELETE_2
    assert PLACES.best("for good", [DELETE, DELETE_2]) == DELETE
    assert PLACES.best("an unknown query", [DELETE_2]) == DELETE_2
    assert PLACES.best("zebra", [DELETE, DELETE_2]) == DELETE  # neither has it
    assert PLACES.best("?", [DELETE, DELETE_2]) == DELETE


@pytest.mark.parametrize(
    "row", [{"source": "gone.md"}, {"passage_id": "gone"}, {"text_sha256": "0" * 16}, {"passage": "not in any of them"}]
)
def test_no_reason_for_what_is_not_in_the_documents(row: dict[str, str]) -> None:
    assert PLACES.why_not(row) == ""


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"source": "guide.md", "section": "Copy Images"}, ["guide.md#Copy Image", "guide.md#Delete Image"]),
        ({"source": "guide.md", "section": "zzz"}, []),
        ({"source": "old/guide.md"}, ["guide.md"]),  # a file of this name in another folder
        ({"source": "gide.md"}, ["guide.md", "more/faq.md"]),  # `e` and `.md` are 8 letters of 18, more than .4
        ({"source": "gu.md"}, ["guide.md"]),  # `.md` is 6 of 16, less than .4
        (
            {"passage_id": "guide.md#copy"},
            ["guide.md#copy-image", "guide.md#delete-image", "guide.md#delete-image-2"],  # .81, .53, .50
        ),
        ({"passage": "billed by the hour"}, ["more/faq.md#billing"]),
        ({"text_sha256": "0" * 16}, []),
    ],
)
def test_what_is_near_a_place_that_is_not_there(row: dict[str, str], names: list[str]) -> None:
    assert PLACES.nearest(row) == names


def test_at_most_three_candidates() -> None:
    places = Places([passage(f"{folder}/guide.md", "Share", "shared words here") for folder in "abcd"])
    assert places.nearest({"source": "guide.md"}) == ["a/guide.md", "b/guide.md", "c/guide.md"]
    assert places.nearest({"passage": "shared words nowhere"}) == [f"{folder}/guide.md#share" for folder in "abc"]


@pytest.mark.parametrize(
    ("rows", "warning"),
    [
        ([], None),
        ([{"query": "a", "group": "dev", "overlap": "", "kind": ""}], None),
        ([{"query": "a", "file": ""}], "unknown column file"),
        ([{"query": "a", "file": ""}, {"heading": "x"}], "unknown columns file, heading"),
        ([{"query": "a", "file": ""}, {"source": ""}], None),
        ([{"query": "a", None: ["cells", "without a name"], "": "x"}], None),
    ],
)
def test_columns_that_may_be_meant_as_a_place(rows: list[dict[Any, Any]], warning: str | None) -> None:
    place = "; a place is source and section, passage, or passage_id"
    assert misnamed(rows) == (warning and warning + place)


def test_an_id_in_two_files_says_no_place() -> None:
    places = Places([passage(f"{name}.jsonl", "r1", name, document=name) for name in "abc"])
    assert places.find({"passage_id": "r1"}) == []
    assert places.find({"passage_id": "b.jsonl#r1"}) == [1]
    assert places.why_not({"passage_id": "r1"}).startswith("several files have a record with this id")
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


GUIDE = [
    ("Install the filter", "install-the-filter", ["Pump guide", "Install the filter"], "install-filter"),
    ("Step 1: Cleaning & care", "step-1-cleaning-care", ["Pump guide", "Step 1: Cleaning & care"], ""),
    ("How often do I change it?", "how-often-do-i-change-it", ["Pump guide", "FAQ", "How often do I change it?"], ""),
    ("What about the seal?", "what-about-the-seal", ["Pump guide", "FAQ", "What about the seal?"], ""),
    ("Notes", "notes", ["Pump guide", "Notes"], ""),
    ("Notes~2", "notes~2", ["Pump guide", "Old", "Notes"], ""),
]


def outlined(source: str = "docs/guide.md") -> list[dict[str, Any]]:
    return [
        {
            "id": f"{source}#{slug}",
            "source": source,
            "document": source,
            "section": section,
            "title": " ".join(headings),
            "text": f"Text of {section}.",
            "section_sha256": section_hash(section),
            "headings": headings,
            **({"anchor": anchor} if anchor else {}),
        }
        for section, slug, headings, anchor in GUIDE
    ]


@pytest.mark.parametrize(
    ("source", "section", "rows"),
    [
        ("docs/guide.md", "FAQ", [2, 3]),  # a heading with only subheadings
        ("docs/guide.md", "Pump guide", [0, 1, 2, 3, 4, 5]),  # the document's title
        ("docs/guide.md", "FAQ > What about the seal?", [3]),
        ("docs/guide.md", "Pump guide > FAQ", [2, 3]),
        ("docs/guide.md", "Pump guide » what about the SEAL", [3]),
        ("docs/guide.md#faq", "", [2, 3]),
        ("docs/guide.md#install-filter", "", [0]),
        ("docs/guide.md", "## FAQ:", [2, 3]),
        ("docs/guide.md", "step-1-cleaning--care", [1]),  # as GitHub spells it
        ("docs/guide.md", "INSTALL THE FILTER", [0]),
        ("docs/guide.md", "install-filter", [0]),
        ("docs/guide.md", "Old > Notes", [5]),
        ("Docs/Guide.MD", "FAQ", [2, 3]),
        ("docs/guide", "FAQ", [2, 3]),
        ("docs\\guide.md", "FAQ", [2, 3]),
        ("./docs/guide.md", "FAQ", [2, 3]),
        ("docs%2Fguide.md", "FAQ", [2, 3]),
        ("https://example.org/en/docs/guide#faq", "", [2, 3]),
        ("docs/guide.md", "notes", [4]),  # to the letter, as before
        ("docs/guide.md", "NOTES", []),  # two places
        ("docs/guide.md", "???", []),
        ("docs/guide.md", "Seal", []),
        ("guides", "FAQ", []),
    ],
)
def test_a_place_is_found_as_people_name_it(source: str, section: str, rows: list[int]) -> None:
    assert Places(outlined()).find({"source": source, "section": section}) == rows


def test_of_several_places_the_candidates_are_named() -> None:
    places = Places(outlined())
    row = {"source": "docs/guide.md", "section": "NOTES"}
    assert places.why_not(row) == "several headings fit"
    assert places.nearest(row) == ["docs/guide.md#Pump guide > Notes", "docs/guide.md#Pump guide > Old > Notes"]


def test_a_name_that_two_files_may_have_is_no_place() -> None:
    places = Places([*outlined("a/Guide.md"), *outlined("a/guide.html")])
    assert places.find({"source": "a/guide", "section": "FAQ"}) == []
    assert places.find({"source": "A/GUIDE.HTML", "section": "FAQ"}) == [8, 9]


def plain(source: str, *sections: tuple[str, str]) -> list[dict[str, Any]]:
    """Passages under a document's title, given as section and text."""
    return [{**passage(source, name, text), "headings": ["Guide", name]} for name, text in sections]


RUNNING = plain(
    "guide.md",
    ("How often do I change it?", "Once a year."),
    ("What about the seal?", "Every second year, or when it drips."),
    ("Where is it sold?", "In any shop that has pumps, and by post from the works."),
    ("Storage", "Keep it in the dark.\nSeals of rubber\nTalcum keeps them dry."),
    ("Page 5", "**Spare parts**\nOrder them by number.\nSeals of rubber"),
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Once a year. What about the seal? Every second year, or when it drips.", [0, 1]),
        ("What about the seal? Every second year, or when it drips. Where is it sold? In any shop that has", [1, 2]),
        ("How often do I change it? Once a year.", [0]),  # with its heading
        ("Once a year. Every second year, or when it drips. Seals of rubber are kept elsewhere by the works", []),
        (" ".join(f"{row['section']} {row['text']}" for row in RUNNING), []),  # more than three sections
    ],
)
def test_a_text_may_run_over_sections(text: str, rows: list[int]) -> None:
    assert Places(RUNNING).find({"passage": text}) == rows


def test_a_line_that_looks_like_a_heading_names_its_section() -> None:
    places = Places(RUNNING)
    assert places.find({"source": "guide.md", "section": "spare parts"}) == [4]
    assert places.find({"source": "guide.md#talcum-keeps-them-dry"}) == [3]
    row = {"source": "guide.md", "section": "Seals of rubber"}  # in two sections
    assert places.find(row) == []
    assert places.nearest(row) == ["guide.md#Guide > Storage", "guide.md#Guide > Page 5"]
