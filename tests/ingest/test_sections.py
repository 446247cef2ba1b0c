"""Where Markdown is cut, and how its sections are named."""

import pytest

from fieldtune.corpus.scripts import slug
from stages.ingest.formats.markdown import markdown_sections
from stages.ingest.sections import Part, Section, outlined, plain_section


def sections(text: str) -> list[Section]:
    return markdown_sections("a/notes.md", text, "notes")


def names(text: str) -> list[tuple[str, str]]:
    return [(section.section, section.slug) for section in sections(text)]


GUIDE = """\
[badges]

# The *Guide*

What it is.

## Install it

Run pip.

### On a Mac

Brew.

## Empty

Use
---

Call `run()`.
"""


def test_text_is_cut_at_headings_under_the_path_of_titles_above_it() -> None:
    assert sections(GUIDE) == [
        Section("a/notes.md", "notes", "notes", "The Guide", "[badges]"),
        Section("a/notes.md", "The Guide", "the-guide", "The Guide", "What it is."),
        Section("a/notes.md", "Install it", "install-it", "The Guide Install it", "Run pip."),
        Section("a/notes.md", "On a Mac", "on-a-mac", "The Guide Install it On a Mac", "Brew."),
        Section("a/notes.md", "Use", "use", "The Guide Use", "Call `run()`."),
    ]


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_make_no_difference(ends: str) -> None:
    assert sections(GUIDE.replace("\n", ends)) == sections(GUIDE)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("no heading", "notes"),
        ("## Part\n\ntext", "notes Part"),
        ("# One\n\ntext\n\n# Two", "notes One"),  # two headings of level 1 are no title
        ("## Part\n\ntext\n\n# One", "notes Part"),
        ("---\ntitle: Front\n---\ntext", "Front"),
        ("---\ntitle: 'Front: more'\ntags: [a]\n---\n## Part\ntext", "Front: more Part"),
        ("---\ntitle: Front\n---\n# Seen\n\ntext", "Seen"),
        ("---\ntitle:\n---\ntext", "notes"),
        ("---\ntitle: a: b\n---\ntext", "notes"),  # not YAML
        ("---\ndate: 2024-99-99\ntitle: x\n---\ntext", "notes"),  # nor a date
    ],
)
def test_the_documents_title_is_its_one_main_heading_else_front_matters_else_the_files_name(
    text: str, title: str
) -> None:
    (section,) = sections(text)
    assert (section.title, section.text) == (title, "text" if "text" in text else text)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA rule above.\n\n---\n\nA rule below.",
        "---\ntitle: never closed\n\ntext",
        "---\n- a list\n---",
        "text\n\n---\ntitle: too late\n---\nafter",
    ],
)
def test_a_rule_is_not_front_matter(text: str) -> None:
    words = {word for section in sections(text) for word in f"{section.title} {section.text}".split()}
    assert words >= {word for word in text.split() if word != "---"}


@pytest.mark.parametrize(
    "text",
    [
        "```\n# no\n```",
        "~~~~\n# no\n~~~\n# no\n~~~~",
        "para\n\n    # no",
        "> # no",
        "- # no",
        "\\# no",
        "#no",
        "#",  # no words
    ],
)
def test_what_only_looks_like_a_heading_is_text(text: str) -> None:
    assert [section.text for section in sections(f"## Yes\n\n{text}\n\nafter")] == [f"{text}\n\nafter"]


@pytest.mark.parametrize(
    ("heading", "label"),
    [
        ("## `copy()` & *un*done [link](to) ![alt](image) &lt;b&gt;  ##", "copy() & undone link alt <b>"),
        ('## <a name="x"></a>Named', "Named"),
        ("Two\nlines\n-----", "Two lines"),
        ("## C#\u2028sharp", "C# sharp"),
        ("## [words][1] and [others][2]\n\n[1]: https://example.org", "words and [others][2]"),
    ],
)
def test_a_heading_is_named_as_it_reads(heading: str, label: str) -> None:
    assert [name for name, _ in names(f"{heading}\n\ntext")] == [label]


def test_repeated_headings_are_told_apart() -> None:
    assert names("# T\n## A\n1\n## B\n2\n## A\n3\n## A\n4") == [("A", "a"), ("B", "b"), ("A~2", "a~2"), ("A~3", "a~3")]


def test_headings_that_differ_in_signs_alone_keep_their_text_and_share_no_slug() -> None:
    assert names("## C\n1\n## C++\n2\n## c\n3\n## C\n4\n## ?\n5\n## !\n6") == [
        ("C", "c"),
        ("C++", "c~2"),
        ("c", "c~3"),
        ("C~2", "c~4"),
        ("?", "section"),
        ("!", "section~2"),
    ]


@pytest.mark.parametrize("headings", [("X", "X", "X~2"), ("X~2", "X", "X"), ("X", "X~2", "X", "X~2~2", "X~2")])
def test_no_heading_can_take_the_name_that_a_repeated_one_was_given(headings: tuple[str, ...]) -> None:
    named = names("".join(f"## {heading}\n\ntext\n\n" for heading in headings))
    assert len({name for name, _ in named}) == len({part for _, part in named}) == len(headings)


def test_an_edit_elsewhere_renames_no_section() -> None:
    before = sections(GUIDE)
    edited = GUIDE.replace("Run pip.", "Run pip.\n\nTwice.\n\nOr thrice.").replace("[badges]\n", "")
    after = {section.slug: section for section in sections(edited)}
    for section in before:
        if section.slug not in ("notes", "install-it"):
            assert after[section.slug] == section
    # Text before the first heading that is named like it takes the second name, although it stands first.
    assert names("front\n\n## notes\n\ntext") == [("notes~2", "notes~2"), ("notes", "notes")]


def test_no_text_is_lost_and_separators_inside_it_stay() -> None:
    text = "before\u2028it\x0b\n# T\n\na\u2029b\x85c\x0cd\n\n## U\n\n  indented\n\n\ttab\n\n* * *\n\nend"
    assert [section.text for section in sections(text)] == [
        "before\u2028it",
        "a\u2029b\x85c\x0cd",
        "indented\n\n\ttab\n\n* * *\n\nend",
    ]


@pytest.mark.parametrize("text", ["", " \n\n\t", "# Title", "# A\n\n## B\n\n# C", "---\ntitle: x\n---\n"])
def test_a_document_without_text_gives_no_section(text: str) -> None:
    assert sections(text) == []


def test_what_is_cut_at_its_headings_already_is_named_alike() -> None:
    parts = [Part(1, "One", " a\n"), Part(2, "In", "b"), Part(1, "Two", " \n"), Part(1, "One", "c")]
    assert outlined("x.html", "x", "Page", "\nbefore", parts) == [
        Section("x.html", "Page", "page", "Page", "before"),
        Section("x.html", "One", "one", "Page One", "a"),
        Section("x.html", "In", "in", "Page One In", "b"),
        Section("x.html", "One~2", "one~2", "Page One", "c"),
    ]
    assert outlined("x.html", "x", "Page", "before", parts[:2])[0] == Section("x.html", "x", "x", "One", "before")
    assert outlined("x.html", "x", "Page", "", []) == []


def test_plain_text_is_one_section_under_its_files_name() -> None:
    assert plain_section("b/Read me.txt", "\n# not a heading\n\nb\n", "Read me") == [
        Section("b/Read me.txt", "Read me", "read-me", "Read me", "# not a heading\n\nb")
    ]
    assert plain_section("b.txt", " \n", "b") == []


@pytest.mark.parametrize(
    ("heading", "fragment"),
    [
        ("Copy  an Image!", "copy-an-image"),
        ("v1.2 (beta)", "v1-2-beta"),
        ("snake_case", "snake_case"),
        ("Über Straßen", "über-straßen"),
        ("ﬁle ②", "file-2"),  # compatibility forms
        ("हिन्दी में", "हिन्दी-में"),
        ("日本語", "日本語"),
        ("???", "section"),
    ],
)
def test_a_slug_keeps_the_letters_of_any_script(heading: str, fragment: str) -> None:
    assert slug(heading) == fragment
