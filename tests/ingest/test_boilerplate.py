"""What stands around documents is dropped; what they repeat themselves stays."""

import dataclasses
import subprocess
import sys

import pytest

from stages.ingest.boilerplate import Counts, blocks, repeated, strip_boilerplate
from stages.ingest.formats.markdown import markdown_sections
from stages.ingest.sections import Section

NAVIGATION = "* [Home](../index.html)\n* [Guide](guide.html)\n* [News](news.html)"
FOOTER = "© 2024 Example Inc. All rights reserved.\n[Imprint](imprint.html)"
OWN = ["Apples are red and grow on trees.", "Bears sleep in winter, for months.", "Clouds are water that floats."]
OWN += ["Deserts have little rain.", "Eagles see a mouse from a mile.", "Foxes are clever, it is said."]


def section(text: str, name: str = "a") -> Section:
    return Section(f"{name}.md", name, name, name, text)


def corpus(*files: list[Section], share: float = 0.5, at_least: int = 3) -> list[tuple[list[Section], int]]:
    counts = Counts()
    for sections in files:
        counts.add(blocks(sections))
    boilerplate = repeated(counts, counts.files, share, at_least)
    return [strip_boilerplate(sections, boilerplate) for sections in files]


def texts(results: list[tuple[list[Section], int]]) -> list[list[str]]:
    return [[left.text for left in sections] for sections, _ in results]


def page(number: int) -> str:
    """A page of a site: other case, white space, digits and link targets on each, its name among the boilerplate."""
    up = "../" * number
    navigation = NAVIGATION.replace("../", up).replace("Guide", "GUIDE" if number % 2 else "Guide")
    return f"""\
[![logo]({up}logo.png "Logo")]({up}index.html)

Skip to   content

Docs > {OWN[number].split()[0]} > Overview

{navigation}

# {OWN[number].split()[0]}

{OWN[number]}

Example:

```
run
```

Example:

More about {OWN[number].split()[0]}.

{FOOTER.replace("2024", str(2020 + number))}

Last updated in {["May", "June", "July"][number % 3]}

Page {number} of 12
"""


def test_what_stands_around_many_files_is_dropped() -> None:
    files = [markdown_sections(f"{number}.md", page(number), str(number)) for number in range(6)]
    for number, (sections, dropped) in enumerate(corpus(*files)):
        name = OWN[number].split()[0]
        assert [left.text for left in sections] == [
            f"Docs > {name} > Overview",
            f"{OWN[number]}\n\nExample:\n\n```\nrun\n```\n\nExample:\n\nMore about {name}.\n\n"
            f"Last updated in {['May', 'June', 'July'][number % 3]}",
        ]
        assert dropped == 5  # logo, skip, navigation, footer, page number
        assert [dataclasses.replace(left, text="") for left in sections] == [
            dataclasses.replace(before, text="") for before in files[number]
        ]


def test_a_section_of_boilerplate_alone_is_gone_and_the_others_are_the_same_objects() -> None:
    files = [
        [section("Menu"), section(f"\t{own}  Odd  space.\n\n\n\n{own} "), section("MIT  licence\n\n---\n")]
        for own in OWN
    ]
    for before, (after, dropped) in zip(files, corpus(*files), strict=True):
        assert len(after) == 1 and after[0] is before[1]
        assert dropped == 3


def test_what_repeats_inside_documents_is_theirs() -> None:
    inside = ["Example", "Added in version 3.2.", "Not supported for directory buckets.", "| a | b |\n|---|---|"]
    files = [[section(f"{own}\n\n" + "\n\n".join(inside) + f"\n\nBut {own}")] for own in OWN]
    assert texts(corpus(*files)) == [[file[0].text] for file in files]


def test_boilerplate_ends_at_the_first_text_of_a_documents_own() -> None:
    long = "a line without a full stop, which is no label since it has more than eighty letters in it"
    for own_text in ("{own}", "{own} " + long, "```\n{own}\n```", "| {own} |\n|---|"):
        files = [[section(f"Menu\n\n{own_text.format(own=own)}\n\nExample\n\n{own}")] for own in OWN]
        assert texts(corpus(*files)) == [[file[0].text.removeprefix("Menu\n\n")] for file in files]
    files = [[section(f"Menu\n\n{own.split()[0]}\n\nExample\n\n{own}")] for own in OWN]
    assert texts(corpus(*files)) == [[f"{own.split()[0]}\n\n{own}"] for own in OWN]


def test_long_files_have_edges_too() -> None:
    middles = ["\n\n".join(f"{own} {'x' * number}" for number in range(300)) for own in OWN]
    files = [[section(f"Menu\n\n{middle}\n\nFooter")] for middle in middles]
    assert texts(corpus(*files)) == [[middle] for middle in middles]


@pytest.mark.parametrize("kept", ["```\nimport x\n\nimport y\n```", "| Name | Type |\n|---|---|\n| a | b |"])
def test_code_and_tables_are_no_boilerplate_wherever_they_stand(kept: str) -> None:
    files = [[section(f"{kept}\n\n{own}\n\n{kept}")] for own in OWN]
    assert not set().union(*map(blocks, files)) & blocks([section(f"{kept}\n\n{kept}")])
    assert texts(corpus(*files)) == [[file[0].text] for file in files]
    # What is below them is in the middle of a document.
    files = [[section(f"{kept}\n\nSee also\n\n{own}")] for own in OWN]
    assert texts(corpus(*files)) == [[file[0].text] for file in files]


def test_a_line_that_introduces_goes_with_what_it_introduces() -> None:
    kept = [[section(f"Menu\n\nThe following example shows how:\n\n{own}")] for own in OWN]
    assert texts(corpus(*kept)) == [[f"The following example shows how:\n\n{own}"] for own in OWN]
    dropped = [[section(f"{own}\n\nNavigation:\n\n{NAVIGATION}")] for own in OWN]
    assert texts(corpus(*dropped)) == [[own] for own in OWN]


@pytest.mark.parametrize(("share", "at_least", "drops"), [(0.5, 3, True), (0.51, 3, False), (0.5, 4, False)])
def test_both_bounds_hold(share: float, at_least: int, drops: bool) -> None:
    files = [[section(f"Header\n\n{own}" if number < 3 else own)] for number, own in enumerate(OWN)]
    expected = [[own] if drops else [file[0].text] for own, file in zip(OWN, files, strict=True)]
    assert texts(corpus(*files, share=share, at_least=at_least)) == expected


def test_a_block_counts_once_a_file() -> None:
    files = [[section("Twice\n\n" * 9 + OWN[0])], *([section(own)] for own in OWN[1:])]
    assert texts(corpus(*files, at_least=2, share=0)) == [[file[0].text] for file in files]


def test_records_are_never_touched() -> None:
    records = [Section("a.jsonl", str(n), str(n), "T", "All the same.", f"document {n}") for n in range(9)]
    assert blocks(records) == set()
    hashes = blocks([section("All the same.")])
    assert strip_boilerplate(records, frozenset(hashes)) == (records, 0)
    # Beside them, a section of the same file is.
    mixed = [*records, section(f"All the same.\n\n{OWN[0]}")]
    assert strip_boilerplate(mixed, frozenset(hashes)) == ([*records, section(OWN[0])], 1)


def test_copies_of_a_document_are_no_boilerplate() -> None:
    document = "\n\n".join(f"{own} {number}" for number in range(40) for own in OWN)
    copies = [[section(document)] for _ in range(5)]
    assert corpus(*copies) == [(copy, 0) for copy in copies]
    # Versions that differ somewhere in the middle, and a short one
    versions = [[section(f"{document}\n\nChanged by {own}\n\n{document}")] for own in OWN]
    assert corpus(*versions) == [(version, 0) for version in versions]
    pages = [f"{document[:1500]} {number}" for number in "abcdefgh"]
    printed = [[section("\n\n\f".join([*pages, own]))] for own in OWN]
    assert corpus(*printed) == [(version, 0) for version in printed]
    short = [[section(OWN[0])] for _ in range(5)]
    assert corpus(*short) == [(copy, 0) for copy in short]
    # Navigation may be long: it is links.
    links = "\n".join(f"* [Chapter {'abcdefgh'[n % 8] * 30}]({n}.html)" for n in range(200))
    assert texts(corpus(*([section(f"{links}\n\n{own}")] for own in OWN))) == [[own] for own in OWN]


@pytest.mark.parametrize("feed", ["\n\n\f", "\n\n\f\n\n"])
def test_headers_and_footers_of_pages_are_dropped_in_the_middle_of_a_file(feed: str) -> None:
    def paper(own: str) -> str:
        pages = [f"ACME Corp – confidential\n\n{own} Here on page {n}.\n\nPage {n} of 30" for n in range(1, 31)]
        return feed.join(pages)

    results = corpus(*([section(paper(own))] for own in OWN))
    for own, (sections, dropped) in zip(OWN, results, strict=True):
        assert dropped == 60
        assert sections[0].text.split("\n\n") == [f"{own} Here on page {n}." for n in range(1, 31)]
    # Without form feeds these are repeated in the middle.
    results = corpus(*([section(paper(own).replace(feed, "\n\n"))] for own in OWN))
    assert [dropped for _, dropped in results] == [2] * len(OWN)


def test_hashes_are_64_bits_and_the_same_in_every_run() -> None:
    script = (
        "from stages.ingest.boilerplate import blocks; from stages.ingest.sections import Section;"
        "print(sorted(blocks([Section('a', 'a', 'a', 'a', 'Page 1\\n\\nFooter\\n\\n```\\ncode\\n```')])))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    # blake2b with 8 bytes of "footer" and of "page 0", by `b2sum -l 64`
    assert runs == {"[1061140653289669619, 13099266856911761509]\n"}
    assert all(0 <= number < 2**64 for number in blocks([section(FOOTER)]))


def test_counts_stay_small_and_never_too_low() -> None:
    counts = Counts()
    everywhere, half, rare, late = 1, 2, 3, 4
    for number in range(10_000):
        of_file = {10 + 3 * number, 11 + 3 * number, everywhere}
        of_file |= {half} if number % 2 else set()
        of_file |= {rare} if number in (500, 9_500) else set()
        of_file |= {late} if number % 1000 == 7 or number >= 9_000 else set()
        counts.add(of_file)
    assert counts.files == 10_000
    assert len(counts) <= 2_004
    assert counts[everywhere] == 10_000
    assert 5_000 <= counts[half] <= 5_010
    assert 1_009 <= counts[late] <= 1_019
    assert repeated(counts, counts.files, 0.3, 5) == {everywhere, half}
    few = Counts()
    for _ in range(999):
        few.add({1})
    few.add({1, 2})
    assert few == {1: 1000}
