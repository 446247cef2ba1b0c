"""The hybrid's weight: what dev says beyond luck, else an even share."""

import numpy as np
import pytest

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import fusion, ranking
from fieldtune.retrieval.ranking import DEPTH, Rankings

SECTIONS = 30
CORPUS = Corpus.from_passages(
    [{"source": "d", "section": f"s{n:02}", "title": "", "text": ""} for n in range(SECTIONS)]
)  # fmt: skip


def ranked(places: list[int], rank: int) -> Rankings:
    """Rankings with the query's answer at a rank, from 1, and the same others around it."""
    rows = np.full((len(places), DEPTH), -1)
    for row, place in enumerate(places):
        others = [section for section in range(20) if section != place]
        rows[row, :20] = [*others[: rank - 1], place, *others[rank - 1 :]]
    return Rankings(rows, np.zeros(rows.shape))


def chosen(queries: int, dense_rank: int, words_rank: int, groups: list[int] | None = None) -> float:
    places = [number % 20 for number in range(queries)]
    return fusion.choose_weight(
        ranked(places, dense_rank),
        ranked(places[::-1], 1) if words_rank == 0 else ranked(places, words_rank),
        [{place} for place in places],
        np.array(groups if groups is not None else range(queries)),
        CORPUS,
    )


def test_without_queries_or_without_a_difference_it_is_even() -> None:
    assert chosen(0, 1, 1) == fusion.EVEN
    assert chosen(40, 1, 1) == fusion.EVEN


def test_the_better_one_gets_more() -> None:
    assert chosen(40, 1, 15) > fusion.EVEN
    assert chosen(40, 15, 1) < fusion.EVEN


def test_it_is_no_further_from_even_than_dev_has_reason_for() -> None:
    weight = chosen(40, 1, 15)
    places = [number % 20 for number in range(40)]
    dense, words, answers = ranked(places, 1), ranked(places, 15), [{place} for place in places]

    def ndcg(share: float) -> float:
        from fieldtune.retrieval import metrics

        return metrics.means(metrics.per_query(ranking.fuse(dense, words, CORPUS, share), answers))["ndcg@10"]

    scores = {share: ndcg(share) for share in fusion.WEIGHTS}
    best = max(scores.values())
    assert scores[weight] == best
    assert all(scores[share] < best for share in fusion.WEIGHTS if abs(share - 0.5) < abs(weight - 0.5))


def test_a_few_queries_of_one_group_are_no_reason() -> None:
    # One query of sixty gains by a share above even, the others none: that may be luck.
    places = [number % 20 for number in range(60)]
    dense, words = ranked(places, 1), ranked(places, 1)
    words.sections[0] = ranked([places[0]], 15).sections[0]
    weight = fusion.choose_weight(dense, words, [{place} for place in places], np.arange(60), CORPUS)
    assert weight == fusion.EVEN


@pytest.mark.parametrize(("groups", "luck"), [(list(range(8)), False), ([0] * 4 + [1] * 4, True)])
def test_luck_is_counted_by_groups(groups: list[int], luck: bool) -> None:
    # .3, .1, … of eight queries: mean .2, standard error .1 / sqrt(8) = .035. As two groups of .3 and .1: .1 / sqrt(2)
    # times sqrt(2) / 2 … by sums of .4 and -.4: sqrt(.32) / 8 = .071, and the mean is 2.8 of them
    values = np.array([0.3, 0.1] * 4) if not luck else np.array([0.5] * 4 + [-0.1] * 4)
    assert fusion._within_luck(values, np.array(groups)) is luck
