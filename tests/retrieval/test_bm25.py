"""BM25's index: bm25s's own numbers, whatever the size of the blocks, and two fields."""

import hashlib
from pathlib import Path

import bm25s
import numpy as np
import pytest
import Stemmer

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import bm25, ranking
from fieldtune.retrieval.bm25 import Bm25Index
from fieldtune.retrieval.words import bm25_words

TEXTS = [
    "Guide Copying images\nCopies an image to another region, and the image keeps its tags.",
    "Guide Delete image\nDeletes what was copied.",
    "Notes\nNothing here about pictures: 検索 モデル",
    "Notes Empty\n",
    "\nimage image image",
]


def of_bm25s(texts: list[str], query: str) -> list[float]:
    """The scores as bm25s's own index has them."""
    options = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english")}
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bm25_words(texts, **options), show_progress=False)
    scores: list[float] = index.get_scores(bm25_words([query], return_ids=False, **options)[0]).tolist()
    return scores


@pytest.mark.parametrize("block", [1, 2, 3, 100])
@pytest.mark.parametrize("query", ["copied images", "the image of a region", "検索", "guide"])
def test_the_scores_are_bm25ss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, query: str) -> None:
    monkeypatch.setattr(bm25, "_BLOCK", block)
    bm25.build(TEXTS, tmp_path / "index")
    index = Bm25Index(tmp_path / "index")
    assert index.scores(query).tolist() == pytest.approx(of_bm25s(TEXTS, query), rel=1e-6)
    whole, of_headings = index.field_scores(query)
    assert of_headings.tolist() == pytest.approx(of_bm25s(["Guide Copying images", "Guide Delete image", "Notes",
                                                           "Notes Empty", ""], query), rel=1e-6)  # fmt: skip
    expected = 0.8 * whole.astype(float) + 0.2 * of_headings.astype(float)
    assert index.scores(query, 0.2).tolist() == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *("", "the and of", "The policies of a caching x v2 snake_case don't re-use 12 U.S. naïve"),
        *("Größe der Straße ΣΑΣ İstanbul", "検索モデル का पासवर्ड 값을 copied", *TEXTS),
    ],
)
def test_the_words_are_bm25ss(text: str) -> None:
    options = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english")}
    assert bm25.stems(text) == bm25_words([text], return_ids=False, **options)[0]


def test_bm25s_reads_the_files(tmp_path: Path) -> None:
    bm25.build(TEXTS, tmp_path / "index")
    theirs = bm25s.BM25.load(tmp_path / "index/whole")
    assert theirs.get_scores(["copi", "imag"]).tolist() == Bm25Index(tmp_path / "index").scores("copied image").tolist()


def test_the_same_texts_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for number, block in enumerate((2, 3, 50)):
        monkeypatch.setattr(bm25, "_BLOCK", block)
        bm25.build(TEXTS * 3, tmp_path / str(number))
        files = sorted(path for path in (tmp_path / str(number)).rglob("*") if path.is_file())
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
        assert {path.parent.name for path in files} == {"whole", "headings"}  # nothing temporary is left
    assert digests[1] == digests[0]
    assert digests[2] == digests[0]


def test_words_that_no_text_has_score_nothing(tmp_path: Path) -> None:
    bm25.build(TEXTS, tmp_path / "index")
    index = Bm25Index(tmp_path / "index")
    assert index.scores("zebra", 0.1).tolist() == [0.0] * 5
    assert index.scores("", 0.1).tolist() == [0.0] * 5
    bm25.build(["the\nand", "\n"], tmp_path / "none")
    assert Bm25Index(tmp_path / "none").scores("image", 0.2).tolist() == [0.0, 0.0]


def test_headings_as_a_field_lift_the_passage_whose_heading_is_asked_for() -> None:
    corpus = Corpus(
        ["s#a", "s#b"], np.arange(2), ["Notes\ncopy image copy image copy image", "Copy image\nIt takes a region."]
    )
    fields = ranking.bm25_fields(["copy image"], corpus, (0.0, 0.5))
    assert fields[0.0].sections[0, 0] == 0
    assert fields[0.5].sections[0, 0] == 1
    np.testing.assert_array_equal(fields[0.0].scores, ranking.bm25(["copy image"], corpus).scores)
