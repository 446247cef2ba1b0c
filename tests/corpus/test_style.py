"""The style of typed queries: what is measured, which examples show it, what a style file holds."""

import random
from pathlib import Path

import pytest

from fieldtune.corpus.style import (
    Population,
    Style,
    choose_examples,
    described,
    equals_example,
    is_private,
    measure,
    read_style,
    style_yaml,
    word_overlap,
)
from fieldtune.runtime.errors import UserError

LOG = [
    *(f"how do I reset the {thing}" for thing in ("router", "password", "clock", "printer", "lamp", "phone")),
    *(f"{thing} broken" for thing in ("router", "screen", "hinge")),
    *(f"what is the warranty of the {thing} that I bought last year" for thing in ("router", "lamp", "phone")),
]


def test_a_population_is_measured_over_distinct_queries() -> None:
    found = measure([*LOG, "  HOW do I  reset the router "])
    assert found.queries == 12
    assert found.words == (2, 6, 6)  # 2, 2, 2, then six of 6, then three of 12 words
    assert found.openings == {"how": 0.5, "what": 0.25}  # the others open one query each
    assert found.questions == 0.75
    assert found.heading_words is None


def test_words_that_stand_in_a_heading_are_shared_out_per_query() -> None:
    found = measure(["reset router", "broken hinge now"], ["Router manual", "How to reset"])
    assert found.heading_words == 0.5  # 2 of 2 and 0 of 3


def test_a_question_mark_of_any_script_asks() -> None:
    assert measure(["密码忘了怎么办？", "router", "wie geht das?"]).questions == pytest.approx(2 / 3, abs=1e-3)


def test_examples_are_spread_over_lengths_and_keep_the_shares_of_openings() -> None:
    chosen = choose_examples(LOG, 8)
    assert len(chosen) == 8
    openings = [text.split()[0] for text in chosen]
    assert openings.count("how") == 4  # half of the log
    assert openings.count("what") == 2  # a quarter
    assert sorted(len(text.split()) for text in chosen)[:2] == [2, 2]


def test_examples_hang_on_no_order_and_on_no_repeat() -> None:
    shuffled = [*LOG, *LOG]
    random.Random(0).shuffle(shuffled)
    assert choose_examples(shuffled, 6) == choose_examples(LOG, 6)


def test_a_short_log_gives_all_it_has() -> None:
    assert sorted(choose_examples(["a b", "c d", "c  D"], 12)) in (["a b", "c D"], ["a b", "c d"])
    assert choose_examples([], 12) == []


@pytest.mark.parametrize(
    ("query", "private"),
    [
        ("mail to jane@example.org bounces", True),
        ("order 4711998 is late", True),
        ("call +49 (30) 123 4567", True),
        ("error 404 on port 8080", False),
        ("what changed in 2024", False),
        ("python 3.11 @ home", False),
    ],
)
def test_private_queries_are_never_examples(query: str, private: bool) -> None:
    assert is_private(query) == private
    assert choose_examples([query], 12) == ([] if private else [query])


@pytest.mark.parametrize(
    ("left", "right", "share"),
    [("reset the router", "router the reset", 1.0), ("reset the router now please", "reset the router now", 0.8)],
)
def test_overlap_is_the_share_of_the_longer_ones_words(left: str, right: str, share: float) -> None:
    assert word_overlap(left, right) == pytest.approx(share)
    assert equals_example(left, ["unlike", right])


def test_a_query_with_two_of_five_words_changed_is_another() -> None:
    assert not equals_example("reset the printer today please", ["reset the router now please"])


def test_a_style_file_says_again_what_was_written(tmp_path: Path) -> None:
    style = Style(["größe ändern: wie?", "- dash", "a b", "c d", "e: f"], measure(LOG, ["Router"]))
    path = tmp_path / "style.yaml"
    path.write_text(style_yaml(style), encoding="utf-8")
    assert read_style(path) == style


def test_a_style_file_written_by_hand_needs_examples_alone(tmp_path: Path) -> None:
    path = tmp_path / "style.yaml"
    path.write_text("examples: [a b, c d, e f, g h, 'i\n  j']\n")
    assert read_style(path) == Style(["a b", "c d", "e f", "g h", "i j"], None)
    path.write_text(" \n")
    assert read_style(path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("examples: [a, b, c, d]\n", "has 4 examples; a style needs 5"),
        ("examples: {a: b}\n", "no list `examples:`"),
        ("examples: [1, 2, 3, 4, 5]\n", "no list `examples:`"),
        ("[a, b\n", "is not UTF-8 YAML"),
        ("examples: [a, b, c, d, e]\npopulation: {words: [1, 2]}\n", "bad `population:`: rewrite it with"),
    ],
)
def test_a_style_file_that_cannot_be_used_is_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "style.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_style(path)


def test_a_style_file_that_is_missing_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found: create it with `fieldtune style`"):
        read_style(tmp_path / "style.yaml")


def test_a_population_in_words() -> None:
    population = Population(100, (4, 7, 9), {"how": 0.5, "what": 0.104}, 0.61, 0.3)
    assert described(population) == (
        "half of the queries have 4 to 9 words, 7 in the middle; 61% ask a question; "
        "frequent first words: how 50%, what 10%; 30% of their words stand in a heading of the documents"
    )
