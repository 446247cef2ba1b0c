"""Queries out of a passage's own words, in any language."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from stages.generate.keyphrases import Keyphrases

TEXTS = {
    "EC2 Copy Image": "Copies an image to another region. The snapshot behind the image is copied as well.",
    "EC2 Stop Instances": "Stops an instance. You are not charged for an instance that is stopped.",
    "S3 Delete Bucket": "Deletes the bucket. All objects in the bucket must be deleted first.",
}


def passages(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [{"id": str(number), "title": title, "text": text} for number, (title, text) in enumerate(texts.items())]


def queries(texts: dict[str, str], words: int = 3) -> dict[str, list[str]]:
    """The queries of each passage, by its title."""
    written, counts = Keyphrases(words, 1.0, 0).queries(passages(texts))
    assert counts == {"keyphrases": len(written)}
    return {title: [q.query for q in written if q.passage_id == str(n)] for n, title in enumerate(texts)}


def test_a_passage_gets_its_title_its_rare_words_and_its_densest_sentence() -> None:
    # TF-IDF with 1 + log(count) and idf = log((1 + n) / (1 + passages)) + 1. `image` stands three times, in this
    # passage alone, so it weighs most; `copied` and `copies` are level with the others that stand here once, and
    # first in the alphabet. Both sentences hold `image` and two of those, the first in 6 distinct words, the second
    # in 8.
    assert queries(TEXTS)["EC2 Copy Image"] == [
        "EC2 Copy Image",
        "image copied copies",
        "Copies an image to another region",
    ]


def test_the_same_input_gives_the_same_queries_and_another_seed_another_share() -> None:
    many = passages({f"Title {n}": f"Word{n} and word{n + 1}." for n in range(100)})

    def drawn(share: float, seed: int) -> list[str]:
        return list(dict.fromkeys(q.passage_id for q in Keyphrases(5, share, seed).queries(many)[0]))

    assert [len(drawn(share, 0)) for share in (0.01, 0.25, 1.0)] == [1, 25, 100]
    assert drawn(0.25, 0) == drawn(0.25, 0) == sorted(drawn(0.25, 0), key=int)
    assert drawn(0.25, 0) != drawn(0.25, 1)
    assert Keyphrases(5, 0.25, 0).queries(many) == Keyphrases(5, 0.25, 0).queries(many)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            {"Straßen": "Die Straße führt über den Fluß. Ein Haus.", "Häuser": "Häuser sind hoch. Ein Haus."},
            "Die Straße führt über den Fluß",
        ),
        ({"हिन्दी": "यह हिन्दी है। और भी।", "अन्य": "अन्य बात। और भी।"}, "यह हिन्दी है"),
        ({"عربي": "هذا نص عربي؟ نعم", "آخر": "شيء آخر؟ نعم"}, "هذا نص عربي؟"),
    ],
)
def test_text_of_other_languages_gives_whole_words_and_whole_sentences(texts: dict[str, str], sentence: str) -> None:
    first, *_ = texts
    title, key_words, key_sentence = queries(texts)[first]
    assert (title, key_sentence) == (first, sentence)
    words = f"{first} {texts[first]}".lower()
    for mark in ".。।؟":
        words = words.replace(mark, " ")
    assert set(key_words.split()) <= set(words.split())


def test_scripts_without_blanks_give_pieces_of_clauses() -> None:
    title, key_words, key_sentence = queries({"检索": "检索模型很多。好。", "导出": "导出模型。好。"})["检索"]
    assert (title, key_sentence) == ("检索", "检索模型很多")
    # 检索 stands twice; 型很 and 很多 come first of those that stand here alone, and overlap
    assert key_words == "检索 型很多"


@pytest.mark.parametrize("text", ["word " * 500, "x" * 5000, "中文" * 3000, "a\n" * 500])
def test_no_query_is_longer_than_what_people_type(text: str) -> None:
    written = queries({text: text, "other": "Other words."}, words=12)[text]
    assert written
    assert all(0 < len(query) <= 200 and len(query.split()) <= 24 for query in written)


@pytest.mark.parametrize("texts", [{}, {"the": "of the and"}, {"?": "!!! ..."}])
def test_passages_without_words_give_no_queries_of_key_words(texts: dict[str, str]) -> None:
    assert queries(texts) == {title: [] for title in texts}


def test_the_order_in_which_python_hashes_words_decides_nothing() -> None:
    # Two sentences whose words weigh the same, pair by pair: rounding alone would tell their sums apart.
    words = [(f"left{i}", f"right{i}") for i in range(1, 8)]
    others = [" ".join(word for i, pair in enumerate(words, 1) if i > row for word in pair) for row in range(7)]
    text = f"{' '.join(left for left, _ in words)}. {' '.join(right for _, right in words)}."
    program = (
        "import json, sys; from stages.generate.keyphrases import Keyphrases\n"
        "passages = [{'id': str(i), 'title': 'title', 'text': t} for i, t in enumerate(json.load(sys.stdin))]\n"
        "print([query.query for query in Keyphrases(5, 1.0, 0).queries(passages)[0]])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps([text, *others]),
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(1, 9)
    }
    assert len(outputs) == 1
