"""The shares of a hybrid and of the headings: alone at first, and moved by a gain beyond luck."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import fusion, metrics, ranking
from fieldtune.retrieval.fusion import Choice, Deciding
from fieldtune.retrieval.judged_queries import Judged

NAMES = ("apple", "pear", "plum", "cherry", "lemon", "melon", "grape", "mango", "peach", "olive")


def peak(best: float, height: float, queries: int, noise: float = 0.0, model: float = 0.5) -> npt.NDArray[np.float64]:
    """NDCG@10 [shares, queries] that climbs by `height` from both ends to the best share; the model alone has `model`,
    BM25 alone .5. Half of the queries have more by `noise` away from the model alone, the others less.
    """
    ends = [0.5, model]
    table = []
    for share in fusion.SHARES:
        climbed = height * max(0.0, 1 - abs(share - best) / max(best, 1 - best)) if 0 < share < 1 else 0.0
        mean = np.full(queries, ends[0] * (1 - share) + ends[1] * share + climbed)
        table.append(mean + (0.0 if share == 1 else noise * np.where(np.arange(queries) % 2, 1, -1)))
    return np.stack(table)


def dev(queries: int, clusters: list[int] | None = None) -> Deciding:
    return Deciding(np.arange(queries), np.array(clusters if clusters is not None else range(queries)), None)


def halved(queries: int) -> Deciding:
    return Deciding(np.arange(queries), np.arange(queries), np.arange(queries) >= queries // 2)


def test_halves_that_agree_choose_and_the_crossfitted_score_is_the_plain_one() -> None:
    ndcg = peak(0.6, 0.1, 200, noise=0.01)
    assert fusion.choose_share(ndcg, halved(200)) == Choice(0.6, (0.6, 0.6), round(float(ndcg[6].mean()), 6))


def test_halves_that_differ_take_the_share_that_is_nearer_to_the_better_half_alone() -> None:
    first, second = peak(0.6, 0.1, 100, model=0.6), peak(0.8, 0.1, 100, model=0.6)
    choice = fusion.choose_share(np.concatenate([first, second], axis=1), halved(200))
    assert (choice.share, choice.halves) == (0.8, (0.6, 0.8))
    # the first half is scored with .8, the second with .6
    assert choice.crossfitted == pytest.approx((first[8].mean() + second[6].mean()) / 2, abs=1e-6)
    first, second = peak(0.6, 0.1, 100, model=0.4), peak(0.8, 0.1, 100, model=0.4)
    choice = fusion.choose_share(np.concatenate([first, second], axis=1), halved(200))
    assert choice.share == 0.6


@pytest.mark.parametrize(("model", "alone"), [(0.6, 1.0), (0.5, 1.0), (0.4, 0.0)])
def test_a_gain_that_may_be_luck_moves_nothing(model: float, alone: float) -> None:
    # .02 for 200 queries that differ by .5: a standard error of .5 / sqrt(100) = .05 in each half
    ndcg = peak(0.6, 0.02, 200, noise=0.5, model=model)
    if alone == 0.0:
        ndcg = ndcg[::-1]  # the noise is away from BM25 alone
        ndcg = peak(0.4, 0.02, 200, noise=0.5, model=0.6)[::-1]
    assert fusion.choose_share(ndcg, halved(200)).share == alone


def test_the_headings_start_at_nothing() -> None:
    plain, some, more = (np.full(200, value) for value in (0.5, 0.52, 0.51))
    assert fusion.choose_heading_share(np.stack([plain, some, more]), halved(200)).share == 0.1
    assert fusion.choose_heading_share(np.stack([plain, some, more]), dev(200)).share == 0.1
    assert fusion.choose_heading_share(np.stack([some, plain, more]), dev(200)).share == 0.0
    luck = np.where(np.arange(200) % 2, 0.5, -0.5)
    assert fusion.choose_heading_share(np.stack([plain, some + luck, more]), dev(200)).share == 0.2
    assert fusion.choose_heading_share(np.zeros((3, 0)), dev(0)).share == 0.0


@pytest.mark.parametrize(
    ("model", "best", "expected"),
    [
        (0.4, 0.3, 0.4),  # BM25 is the better half on dev: a tenth more than dev's choice
        (0.6, 0.4, 0.8),  # the model is, although dev flatters BM25: eight tenths at least
        (0.6, 0.8, 0.9),
        (0.6, 0.9, 1.0),
    ],
)
def test_what_dev_chooses_is_moved_towards_the_model(model: float, best: float, expected: float) -> None:
    assert fusion.choose_share(peak(best, 0.2, 100, model=model), dev(100)) == Choice(expected)


@pytest.mark.parametrize(("model", "alone"), [(0.6, 1.0), (0.5, 1.0), (0.4, 0.0)])
def test_dev_moves_nothing_for_what_may_be_luck_either(model: float, alone: float) -> None:
    # a gain of at most .01, and a standard error of .5 / sqrt(100)
    ndcg = peak(0.6, 0.01, 100, noise=0.5, model=model)
    if alone == 0.0:
        ndcg = peak(0.4, 0.01, 100, noise=0.5, model=0.6)[::-1]
    assert fusion.choose_share(ndcg, dev(100)) == Choice(alone)


def test_without_queries_the_model_is_alone() -> None:
    assert fusion.choose_share(np.zeros((11, 0)), dev(0)) == Choice(1.0)


def test_luck_is_counted_by_clusters() -> None:
    # gains of .3 and -.1 by turns: mean .1, standard error .2 / sqrt(40) = .03; of two clusters, all of the one and
    # all of the other, it is .2
    gains = np.where(np.arange(40) % 2, 0.3, -0.1)
    ndcg = np.stack([np.full(40, 0.5), 0.5 + gains, np.full(40, 0.4)])
    assert fusion.choose_heading_share(ndcg, dev(40)).share == 0.1
    assert fusion.choose_heading_share(ndcg, dev(40, [n % 2 for n in range(40)])).share == 0.0


def judged(real: int, dev_queries: int, texts: str = "something else") -> tuple[Judged, Corpus]:
    """Queries that ask for sections of ten, each a cluster of its own."""
    corpus = Corpus(
        [f"s#{n}" for n in range(10)], np.arange(10), [f"Part {name}\nwords of passage number {name}" for name in NAMES]
    )
    count = real + dev_queries
    sets = {"real": np.arange(real), "dev": np.arange(real, count)}
    ids = [f"q{n:06}" for n in range(count)]
    grades: list[dict[int, float]] = [{n % 10: 1} for n in range(count)]
    return Judged(ids, [texts] * count, grades, np.arange(count), {k: v for k, v in sets.items() if len(v)}), corpus


@pytest.mark.parametrize(("real", "asked", "by_real"), [(99, True, False), (100, True, True), (300, False, False)])
def test_a_hundred_real_queries_decide_if_they_may(real: int, asked: bool, by_real: bool) -> None:
    queries, corpus = judged(real, 20)
    deciding = fusion.deciding(queries, corpus, real=asked)
    assert (deciding.second is not None) == by_real
    assert deciding.rows.tolist() == list(range(real) if by_real else range(real, real + 20))


def test_real_queries_of_one_cluster_do_not_decide() -> None:
    queries, corpus = judged(150, 20)
    queries.clusters[:150] = 7
    assert fusion.deciding(queries, corpus, real=True).rows.tolist() == list(range(150, 170))


def test_queries_made_of_the_passages_words_choose_nothing() -> None:
    queries, corpus = judged(0, 20, texts="words passage number")
    assert len(fusion.deciding(queries, corpus, real=True).rows) == 0
    queries, corpus = judged(0, 20, texts="words passage zebra")
    assert len(fusion.deciding(queries, corpus, real=True).rows) == 20


def test_shares_are_even_steps_from_bm25_alone_to_the_model_alone() -> None:
    assert (fusion.SHARES[0], fusion.SHARES[-1]) == (0.0, 1.0)
    assert all(later - one == pytest.approx(0.1) for one, later in pairwise(fusion.SHARES))


def test_a_hybrid_is_chosen_from_rankings() -> None:
    # The model finds the answers of the even queries, BM25 those of the others: both together find more.
    queries, corpus = judged(200, 0)
    near = np.eye(10, dtype=np.float32)
    wrong = np.roll(near, 1, axis=1)
    vectors = np.stack([(near if row % 2 else wrong)[row % 10] for row in range(200)])
    texts = [NAMES[row % 10] if row % 2 == 0 else NAMES[(row + 3) % 10] for row in range(200)]
    dense, words = ranking.dense(vectors, near, corpus), ranking.bm25(texts, corpus)
    deciding = fusion.deciding(queries, corpus, real=True)
    choice = fusion.choose_hybrid(dense, words, queries, corpus, deciding)
    fused = ranking.fuse(dense, words, corpus, choice.share)

    def ndcg(rankings: ranking.Rankings) -> float:
        return metrics.means(metrics.per_query(rankings, queries.grades))["ndcg@10"]

    assert 0 < choice.share < 1
    assert ndcg(fused) > max(ndcg(dense), ndcg(words)) + 0.1
