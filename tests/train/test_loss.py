"""The loss against the library's, and against InfoNCE in numpy; tiny random models, no dropout."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from stages.train.batches import Collator, by_passage
from stages.train.loss import MultiQueryRankingLoss
from tests.tiny_model import DIMENSION, WORDS, tiny_model
from tests.train.workspace import PROMPTS

TEMPERATURE = 0.05
BUDGETS = [1, 60, 100_000]  # tokens: a text at a time, some, all at once


def text(first: int, words: int) -> str:
    return " ".join(WORDS[(first + 3 * i) % 60] for i in range(words))


PASSAGES = [text(0, 5), text(7, 30), text(1, 2), text(30, 11), text(11, 9)]
QUERIES = [text(20, 3), text(21, 8), text(22, 1), text(23, 5), text(24, 2)]
OWN = [0, 1, 2, 3, 4]
Vectors64 = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    made = tiny_model(tmp_path_factory.mktemp("model"))
    made.prompts = dict(PROMPTS)
    return made.eval()


def batch(model: SentenceTransformer, own: list[int], negatives: int, clusters: list[int]) -> dict[str, Any]:
    """All of QUERIES with the passages `own`; passage 4 is the hard negative of passage 0, passage 1 of the others."""
    hard = [[PASSAGES[4]] if passage == 0 else [PASSAGES[1]] for passage in own]
    rows = by_passage(QUERIES, [PASSAGES[passage] for passage in own], hard, dict(zip(PASSAGES, clusters, strict=True)))
    return Collator(model, rows, negatives)(list(rows))


def measure(loss: MultiQueryRankingLoss, features: dict[str, Any]) -> tuple[float, list[torch.Tensor]]:
    """The loss and its gradients."""
    return gradients(loss.model, loss(loss.sides(features), features["label"]))


def gradients(model: SentenceTransformer, value: torch.Tensor) -> tuple[float, list[torch.Tensor]]:
    model.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    return value.item(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("budget", BUDGETS)
def test_pairs_of_distinct_passages_are_the_librarys_loss(model: SentenceTransformer, budget: int) -> None:
    library = MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)
    sides = [
        dict(model.preprocess(texts, prompt=PROMPTS[kind]))
        for texts, kind in ((QUERIES, "query"), (PASSAGES, "document"))
    ]
    expected, expected_gradients = gradients(model, library(sides, torch.arange(5)))
    ours = MultiQueryRankingLoss(model, TEMPERATURE, budget)
    value, our_gradients = measure(ours, batch(model, OWN, 0, OWN))
    assert value == pytest.approx(expected, abs=1e-6)
    assert len(our_gradients) == len(expected_gradients) > 20
    for gradient, other in zip(our_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(
    ("negatives", "clusters", "seen"),
    [
        # Three passages, of which 0 has the queries 0 and 3, 1 has 1 and 4, and 2 has 2.
        (0, [0, 1, 2, 3, 4], [[0, 1, 2]] * 5),
        (1, [0, 1, 2, 3, 4], [[0, 1, 2, 4]] * 5),  # with the hard negative of 0; that of the others, 1, is there
        (0, [8, 1, 8, 3, 4], [[0, 1], [0, 1, 2], [1, 2], [0, 1], [0, 1, 2]]),  # 0 and 2 are copies
        (1, [0, 8, 2, 3, 8], [[0, 1, 2, 4], [0, 1, 2], [0, 1, 2, 4], [0, 1, 2, 4], [0, 1, 2]]),  # 1 and its negative
    ],
)
def test_queries_of_one_passage_share_it_and_copies_are_left_out(
    model: SentenceTransformer, negatives: int, clusters: list[int], seen: list[list[int]], budget: int
) -> None:
    own = [0, 1, 2, 0, 1]
    scores = model.encode_query(QUERIES) @ model.encode_document(PASSAGES).T / TEMPERATURE
    exponents = np.exp(scores.astype(np.float64))
    each = [-np.log(exponents[q, own[q]] / exponents[q, seen[q]].sum()) for q in range(5)]
    value, _ = measure(MultiQueryRankingLoss(model, TEMPERATURE, budget), batch(model, own, negatives, clusters))
    assert value == pytest.approx(np.mean(each), abs=1e-5)


@pytest.mark.parametrize("budget", BUDGETS[:2])
def test_microbatches_change_neither_loss_nor_gradients(model: SentenceTransformer, budget: int) -> None:
    features = batch(model, [0, 1, 2, 0, 1], 1, OWN)
    # Temperature 1: a lower one would multiply what float32 rounds off.
    whole, whole_gradients = measure(MultiQueryRankingLoss(model, 1.0, BUDGETS[-1]), features)
    cut, cut_gradients = measure(MultiQueryRankingLoss(model, 1.0, budget), features)
    assert cut == pytest.approx(whole, abs=1e-6)
    for gradient, other in zip(cut_gradients, whole_gradients, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-6, rtol=0)


def by_hand(
    queries: Vectors64, passages: Vectors64, own: list[int], clusters: list[int], symmetric: bool = False
) -> float:
    """InfoNCE in numpy, of unit vectors; a passage of the same cluster as the query's own is left out."""
    exponents = np.exp(queries @ passages.T / TEMPERATURE)
    stands = np.array([[p == o or clusters[p] != clusters[o] for p in range(len(passages))] for o in own])
    right = exponents[range(len(own)), own]
    losses = -np.log(right / (exponents * stands).sum(axis=1))
    if symmetric:
        for q, o in enumerate(own):
            others = sum(exponents[r, o] for r in range(len(own)) if own[r] != o and stands[r, o])
            losses[q] = (losses[q] - np.log(right[q] / (right[q] + others))) / 2
    return float(losses.mean())


def both(model: SentenceTransformer) -> tuple[Vectors64, Vectors64]:
    queries: Vectors64 = model.encode_query(QUERIES).astype(np.float64)
    return queries, model.encode_document(PASSAGES).astype(np.float64)


@pytest.mark.parametrize("clusters", [[0, 1, 2, 3, 4], [8, 1, 8, 3, 4]])
def test_the_symmetric_loss_asks_from_passages_to_queries_too(model: SentenceTransformer, clusters: list[int]) -> None:
    own = [0, 1, 2, 0, 1]
    queries, passages = both(model)
    loss = MultiQueryRankingLoss(model, TEMPERATURE, 60, symmetric=True)
    expected = by_hand(queries, passages[:3], own, clusters[:3], symmetric=True)
    assert expected != pytest.approx(by_hand(queries, passages[:3], own, clusters[:3]), abs=1e-2)
    value, all_gradients = measure(loss, batch(model, own, 0, clusters))
    assert value == pytest.approx(expected, abs=1e-5)
    assert all(gradient.isfinite().all() for gradient in all_gradients)


def test_one_passage_alone_has_a_symmetric_loss_of_0(model: SentenceTransformer) -> None:
    """No other query, no other passage: both sums have one term."""
    rows = by_passage(["word1", "word2"], ["word3", "word3"], [[], []], {"word3": 0})
    loss = MultiQueryRankingLoss(model, TEMPERATURE, 60, symmetric=True)
    value, all_gradients = measure(loss, Collator(model, rows, 0)(list(rows)))
    assert value == pytest.approx(0, abs=1e-6)
    assert all(gradient.isfinite().all() for gradient in all_gradients)


@pytest.mark.parametrize("symmetric", [False, True])
def test_matryoshka_is_the_mean_of_the_losses_of_vectors_cut_short(model: SentenceTransformer, symmetric: bool) -> None:
    own = [0, 1, 2, 0, 1]
    sizes = [8, 16]

    def cut(vectors: Vectors64, size: int) -> Vectors64:
        short: Vectors64 = vectors[:, :size] / np.linalg.norm(vectors[:, :size], axis=1, keepdims=True)
        return short

    queries, passages = both(model)
    each = [
        by_hand(cut(queries, size), cut(passages[:3], size), own, OWN[:3], symmetric) for size in (*sizes, DIMENSION)
    ]
    assert max(each) - min(each) > 0.1
    loss = MultiQueryRankingLoss(model, TEMPERATURE, 60, symmetric=symmetric, dimensions=sizes)
    value, _ = measure(loss, batch(model, own, 0, OWN))
    assert value == pytest.approx(np.mean(each), abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"symmetric": True, "dimensions": [8]}])
@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_cache_changes_neither_loss_nor_gradients(
    model: SentenceTransformer, options: dict[str, Any], training: bool
) -> None:
    """With dropout the second pass must draw what the first drew."""
    features = batch(model, [0, 1, 2, 0, 1], 1, OWN)
    model.train(training)
    try:
        measured = []
        for cached, seed in ((False, 0), (True, 0), (False, 1)):
            torch.manual_seed(seed)
            loss = MultiQueryRankingLoss(model, 1.0, 60, **options)
            loss.cached = cached
            measured.append(measure(loss, features))
    finally:
        model.eval()
    (value, whole), (cached_value, cached_gradients), (other, _) = measured
    assert cached_value == pytest.approx(value, abs=1e-6)
    for gradient, cached_gradient in zip(whole, cached_gradients, strict=True):
        torch.testing.assert_close(cached_gradient, gradient, atol=1e-5, rtol=1e-5)
    assert (abs(other - value) > 1e-4) == training  # else dropout would not be on, and nothing replayed


def test_queries_of_equal_text_each_ask_for_their_own_passage(model: SentenceTransformer) -> None:
    texts = [QUERIES[0], QUERIES[1], QUERIES[0]]
    rows = by_passage(texts, PASSAGES[:3], [[]] * 3, dict(zip(PASSAGES, OWN, strict=True)))
    value, _ = measure(MultiQueryRankingLoss(model, TEMPERATURE, 60), Collator(model, rows, 0)(list(rows)))
    queries, passages = both(model)
    assert value == pytest.approx(by_hand(queries[[0, 1, 0]], passages[:3], [0, 1, 2], [0, 1, 2]), abs=1e-5)


def test_a_passage_that_two_rows_hold_stands_once(model: SentenceTransformer) -> None:
    """As where several processes fill up a last batch with rows of the first."""
    rows = by_passage(QUERIES[:3], PASSAGES[:3], [[]] * 3, dict(zip(PASSAGES, OWN, strict=True)))
    features = Collator(model, rows, 0)([*rows, rows[0]])
    assert len(features["positive_input_ids"]) == 3
    value, _ = measure(MultiQueryRankingLoss(model, TEMPERATURE, 60), features)
    queries, passages = both(model)
    assert value == pytest.approx(by_hand(queries[[0, 1, 2, 0]], passages[:3], [0, 1, 2, 0], [0, 1, 2]), abs=1e-5)


def test_no_forward_pass_is_over_the_budget(model: SentenceTransformer) -> None:
    sizes: list[int] = []
    watch = model[0].register_forward_pre_hook(lambda _, inputs: sizes.append(int(inputs[0]["attention_mask"].sum())))
    measure(MultiQueryRankingLoss(model, TEMPERATURE, 60), batch(model, OWN, 0, OWN))
    watch.remove()
    assert len(sizes) == 3  # one of queries, two of passages
    assert max(sizes) <= 60


def test_a_pooling_that_leaves_the_prompt_out_is_trained_as_it_encodes(tmp_path: Path) -> None:
    made = tiny_model(tmp_path).eval()
    made.prompts = dict(PROMPTS)
    made.set_pooling_include_prompt(False)
    scores = made.encode_query(QUERIES) @ made.encode_document(PASSAGES).T / TEMPERATURE
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(scores), torch.arange(5))
    value, _ = measure(MultiQueryRankingLoss(made, TEMPERATURE, 60), batch(made, OWN, 0, OWN))
    assert value == pytest.approx(float(expected), abs=1e-5)
