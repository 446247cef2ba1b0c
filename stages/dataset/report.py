"""What report.json says of the data set: counts at each step, what was dropped and why, and whether the generated
queries are like those that people type.
"""

import random
import re
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.scripts import NO_BLANKS
from fieldtune.corpus.unicode import normalised
from fieldtune.retrieval.words import overlap
from stages.dataset.filters import REASONS

_EXAMPLES = 5  # of each reason
_LOOKED_AT = 10_000  # queries, and passages, drawn where there are more: a share is then known within 1 %
_TOO_FEW = 20  # real queries that say nothing of what people type
_TIMES_LONGER = 1.5  # from here on lengths differ much
_SHARED_MORE = 0.2  # and so do shares of words
_NEARLY_ALL = 0.8  # a share of words that needs no comparison
# Lower bounds of the histograms' bins, in words
_QUERY_WORDS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 25)
_PASSAGE_WORDS = (1, 25, 50, 100, 150, 200, 300, 500, 1000)
_SHARES = ("under 20 %", "20–39 %", "40–59 %", "60–79 %", "80–99 %", "100 %")
_THEIR_MARKS = "\u3000-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_COUNTED = re.compile(f"[{NO_BLANKS}]|[^\\s{NO_BLANKS}{_THEIR_MARKS}]+")


def describe(
    *,
    queries: Sequence[str],
    kinds: Sequence[str],
    positives: Sequence[int],
    passages: Sequence[str],
    generated: int,
    dropped: Mapping[int, str],
    sides: Mapping[str, Sequence[int]],
    real: Sequence[tuple[str, Sequence[int]]],
    log: Sequence[str],
) -> dict[str, Any]:
    """The keys `steps`, `kinds`, `lengths` (in words), `leakage` (shares of words) and `remarks` of report.json.

    `queries`, `kinds` and `positives` (rows of `passages`) have a row for each query that may be trained on: first the
    `generated` ones, then real ones. `passages` are what the encoder sees of each, `dropped` is what `filters.keep`
    gives, `sides` has the rows that are kept. `real` are the real queries of the test, each with the passages that
    answer it, `log` real queries without answers. Leakage is the share of a query's words, as stems and without stop
    words, that its passage repeats; of several passages the highest.
    """
    steps = {"generated": generated}
    left = generated
    for reason in REASONS:
        left -= sum(of == reason for of in dropped.values())
        steps[f"after_{reason}"] = left
    kept = sorted(row for rows in sides.values() for row in rows)
    steps |= {"kept": left, "real_for_training": len(queries) - generated}
    steps |= {side: len(rows) for side, rows in sides.items()}

    looked_at = _drawn([row for row in kept if row < generated], _LOOKED_AT)
    asked = _drawn(real, _LOOKED_AT)
    typed = {
        "generated": [queries[row] for row in looked_at],
        "real": [query for query, _ in asked],
        "log": _drawn(log, _LOOKED_AT),
    }
    lengths = {name: _lengths(texts, _QUERY_WORDS) for name, texts in typed.items() if texts}
    shared = {
        "generated": [_shared(queries[row], [passages[positives[row]]]) for row in looked_at],
        "real": [_shared(query, [passages[row] for row in rows]) for query, rows in asked],
    }
    leakage = {name: _leakage(shares) for name, shares in shared.items() if shares}
    return {
        "steps": steps,
        "kinds": dict(sorted(Counter(kinds[row] for row in kept).items())),
        "lengths": {"queries": lengths, "passages": _lengths(_drawn(passages, _LOOKED_AT), _PASSAGE_WORDS)},
        "leakage": leakage,
        "remarks": _length_remarks(lengths) + _leakage_remarks(leakage),
    }


def dropped_examples(
    *,
    dropped: Mapping[int, str],
    queries: Sequence[str],
    positives: Sequence[int],
    right: Sequence[set[int]],
    passages: Sequence[Mapping[str, Any]],
    section_of: npt.NDArray[np.int64],
    top: int,
    query_vectors: npt.NDArray[np.float32],
    passage_vectors: npt.NDArray[np.float32],
    bm25: npt.NDArray[np.int64],
) -> dict[str, list[dict[str, str]]]:
    """For each reason up to five queries of different words: `query`, `passage_id`, `title`, and `why` in words.

    `dropped` is what `filters.keep` gives, by row of `queries`; `positives` has the row of `passages`, and `right` the
    sections that answer, for each query; `section_of` [passages] the section of each passage. Ranks are those of
    sections: of the base model from its unit vectors [queries, dimension] and [passages, dimension], of BM25 from
    its ranked sections [queries, depth]; `top` is the rank from which a query was dropped.
    """
    first_of: dict[str, dict[str, int]] = {reason: {} for reason in REASONS}
    for row in sorted(dropped):
        first_of[dropped[row]].setdefault(normalised(queries[row]), row)
    chosen = {reason: _drawn(list(rows.values()), _EXAMPLES) for reason, rows in first_of.items() if rows}
    alike: dict[str, list[int]] = {normalised(queries[row]): [] for rows in chosen.values() for row in rows}
    for row, query in enumerate(queries):
        if (same := alike.get(normalised(query))) is not None:
            same.append(row)

    def passage_id(row: int) -> str:
        return str(passages[positives[row]]["id"])

    def ambiguous(row: int) -> str:
        elsewhere: dict[int, int] = {}
        for other in alike[normalised(queries[row])]:
            section = int(section_of[positives[other]])
            if section not in right[row]:
                elsewhere.setdefault(section, other)
        first, *others = elsewhere.values()
        return f"also written for {passage_id(first)}" + (f" and {len(others):,} more" if others else "")

    def repeated(row: int) -> str:
        first = alike[normalised(queries[row])][0]
        if passage_id(first) == passage_id(row):
            return "written twice for this passage"
        return f"already written for {passage_id(first)}, which answers the same"

    def same_as_a_real_query(row: int) -> str:
        return "a real query has the same words, and a test must not ask what was trained on"

    def round_trip(row: int) -> str:
        # Of sections that score alike the filter may have ranked its own last.
        base = max(_base_rank(query_vectors[row], passage_vectors, section_of, right[row]), top + 1)
        places = np.flatnonzero(np.isin(bm25[row], list(right[row])))
        lexical = f"on rank {places[0] + 1:,}" if len(places) else f"not among the first {bm25.shape[1]:,}"
        return f"its passage is on rank {base:,} of the base model and {lexical} of BM25; the limit is {top:,}"

    why = {
        "ambiguous": ambiguous,
        "repeated": repeated,
        "same_as_a_real_query": same_as_a_real_query,
        "round_trip": round_trip,
    }
    return {
        reason: [
            {
                "query": queries[row],
                "passage_id": passage_id(row),
                "title": str(passages[positives[row]]["title"]),
                "why": why[reason](row),
            }
            for row in rows
        ]
        for reason, rows in chosen.items()
    }


def _base_rank(
    query: npt.NDArray[np.float32],
    passages: npt.NDArray[np.float32],
    section_of: npt.NDArray[np.int64],
    right: set[int],
) -> int:
    """The rank of the best right section by cosine; a section scores what its best passage does."""
    best = np.full(int(section_of.max()) + 1, -np.inf, dtype=np.float32)
    np.maximum.at(best, section_of, passages @ query)
    answers = list(right)
    return 1 + int(np.sum(np.delete(best, answers) > best[answers].max()))


def words(text: str) -> int:
    """Words between blanks; characters where a script has no blanks between words."""
    return len(_COUNTED.findall(text))


def _drawn(items: Sequence[Any], count: int) -> list[Any]:
    """At most so many, in their order; drawn, since every nth might always be of one kind."""
    if len(items) <= count:
        return list(items)
    return [items[place] for place in sorted(random.Random(0).sample(range(len(items)), count))]


def _lengths(texts: Sequence[str], bounds: Sequence[int]) -> dict[str, Any]:
    counts = [words(text) for text in texts]
    within = Counter(max(bisect_right(bounds, count), 1) - 1 for count in counts)
    labels = [str(low) if high == low + 1 else f"{low:,}–{high - 1:,}" for low, high in pairwise(bounds)]
    labels.append(f"{bounds[-1]:,} or more")
    return {
        "n": len(texts),
        "median": statistics.median(counts),
        "histogram": {label: within[place] for place, label in enumerate(labels)},
    }


def _shared(query: str, passages: Sequence[str]) -> float:
    """The share of a query's word stems that its passage repeats, the highest of several passages."""
    return max((overlap(passage, query) for passage in passages), default=0.0)


def _leakage(shares: Sequence[float]) -> dict[str, Any]:
    # Shares are fractions of small numbers: 3 of 5 must not fall below 60 % by rounding.
    within = Counter(int(share * 5 + 1e-9) for share in shares)
    return {
        "n": len(shares),
        "mean": round(statistics.fmean(shares), 3),
        "histogram": {label: within[place] for place, label in enumerate(_SHARES)},
    }


def _length_remarks(lengths: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if "generated" not in lengths:
        return []
    ours = lengths["generated"]["median"]
    said = []
    for name, whose in (("real", "your real queries"), ("log", "those of your search log")):
        if name in lengths and lengths[name]["n"] >= _TOO_FEW:
            theirs = lengths[name]["median"]
            if max(ours, theirs) >= _TIMES_LONGER * max(min(ours, theirs), 1):
                said.append(f"{whose} {theirs:g}")
    if not said:
        return []
    return [
        f"Generated queries have {ours:g} words, {' and '.join(said)} (medians): the model learns from queries of "
        "another length than people type"
    ]


def _leakage_remarks(leakage: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if "generated" not in leakage:
        return []
    ours = leakage["generated"]["mean"]
    said = f"A passage repeats {_percent(ours)} of the words of its generated queries"
    if "real" not in leakage or leakage["real"]["n"] < _TOO_FEW:
        if ours < _NEARLY_ALL:
            return []
        return [f"{said}: word search finds it as it is; only real queries tell how people fare who use other words"]
    theirs = leakage["real"]["mean"]
    if ours - theirs >= _SHARED_MORE:
        return [
            f"{said}, and {_percent(theirs)} of those of real ones: the generated ones are easier than what people "
            "type, so believe the scores on real queries"
        ]
    if theirs - ours >= _SHARED_MORE:
        return [
            f"{said}, and {_percent(theirs)} of those of real ones: people use the documents' own words more, so word "
            "search does better for them than for the generated ones"
        ]
    return []


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
