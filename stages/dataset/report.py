"""report.json: counts at each step, what was dropped and why, and how similar generated queries are to real ones."""

import re
import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fieldtune.corpus import real_queries
from fieldtune.corpus.scripts import NO_BLANKS
from fieldtune.retrieval.words import overlap
from stages.dataset.answers import Copies
from stages.dataset.config import DatasetConfig
from stages.dataset.dropped_examples import dropped_examples
from stages.dataset.filters import REASONS
from stages.dataset.guidance import size_guidance, written_by_model
from stages.dataset.inputs import Inputs
from stages.dataset.pairs import SplitPairs
from stages.dataset.round_trip import RoundTrip
from stages.dataset.sampling import draw
from stages.dataset.split import SplitQueries, SplitUnits

_OPENINGS = 8  # first words that are listed
_EXAMPLES = 10  # queries shown per source
_LOOKED_AT = 10_000  # queries, and passages, drawn if there are more: a share is then known within 1%
_TOO_FEW = 20  # real queries that say nothing about what people type
_TIMES_LONGER = 1.5  # from here on lengths differ much
_SHARED_MORE = 0.2  # and so do shares of words
_NEARLY_ALL = 0.8  # a share of words that needs no comparison
# Lower bounds of the histograms' bins, in words
_QUERY_WORDS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 25)
_PASSAGE_WORDS = (1, 25, 50, 100, 150, 200, 300, 500, 1000)
_SHARES = ("under 20 %", "20–39 %", "40–59 %", "60–79 %", "80–99 %", "100 %")
_THEIR_MARKS = "\u3000-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_COUNTED = re.compile(f"[{NO_BLANKS}]|[^\\s{NO_BLANKS}{_THEIR_MARKS}]+")


@dataclass(frozen=True)
class PeoplesQueries:
    """Queries that people typed, to compare generated ones with."""

    real: Sequence[tuple[str, Sequence[int]]]  # queries of the test, each with the passages that answer it, as rows
    log: Sequence[str]  # queries without answers


def make_report(
    inputs: Inputs,
    copies: Copies,
    units: SplitUnits,
    queries: SplitQueries,
    round_trip: RoundTrip,
    pairs: Mapping[str, SplitPairs],
    config: DatasetConfig,
) -> dict[str, Any]:
    """All of report.json; `pairs` has those of each split."""
    generated = queries.candidates.generated
    counts = Counter(queries.dropped.values())
    real = [
        (query.query, [inputs.passage_rows[passage] for passage in query.passages])
        for query in inputs.real
        if query.split == "test"
    ]
    return {
        "generated": len(generated),
        "dropped": {reason: counts[reason] for reason in REASONS},
        "dropped_examples": dropped_examples(queries.dropped, generated, inputs.passages, round_trip),
        "kept": len(generated) - len(queries.dropped),
        **describe(queries, inputs.corpus.texts, PeoplesQueries(real, inputs.log)),
        "passages": len(inputs.passages),
        "copies": {
            "passages": len({row for pair in copies.passages for row in pair}),
            "sections_alike": sum(len(sections) > 1 for sections in copies.alike),
        },
        "split": {"unit": "document" if units.whole_documents else "section", "groups": len(set(units.unit_of))},
        "real": {name: sum(query.split == name for query in inputs.real) for name in real_queries.SPLITS},
        **{split: of_split.counts() for split, of_split in pairs.items()},
        "guidance": size_guidance(
            len(queries.rows["train"]),
            len({query.passage for query in queries.candidates.all}),
            config.dollars_per_passage,
            len(inputs.passages),
            by_model=written_by_model(inputs.generated),
        ),
    }


def describe(queries: SplitQueries, passages: Sequence[str], people: PeoplesQueries) -> dict[str, Any]:
    """The keys `steps`, `kinds`, `lengths` (in words), `leakage` (shares of words) and `remarks` of report.json.

    `passages` are the texts as the encoder sees them. Leakage is the share of a query's words, as stems and without
    stop words, that its passage repeats; of several passages the highest.
    """
    rows = queries.candidates.all
    kept = sorted(row for split in queries.rows.values() for row in split)
    generated = draw([rows[row] for row in kept if row < len(queries.candidates.generated)], _LOOKED_AT)
    real = draw(people.real, _LOOKED_AT)
    typed = {
        "generated": [query.text for query in generated],
        "real": [query for query, _ in real],
        "log": draw(people.log, _LOOKED_AT),
    }
    lengths = {name: _lengths(texts, _QUERY_WORDS) for name, texts in typed.items() if texts}
    shared = {
        "generated": [_shared(query.text, [passages[query.passage]]) for query in generated],
        "real": [_shared(query, [passages[row] for row in answers]) for query, answers in real],
    }
    leakage = {name: _leakage(shares) for name, shares in shared.items() if shares}
    return {
        "steps": _steps(queries),
        "kinds": dict(sorted(Counter(rows[row].kind for row in kept).items())),
        "lengths": {"queries": lengths, "passages": _lengths(draw(passages, _LOOKED_AT), _PASSAGE_WORDS)},
        "openings": _openings({name: texts for name, texts in typed.items() if texts}),
        "examples": {name: draw(texts, _EXAMPLES) for name, texts in typed.items() if texts},
        "leakage": leakage,
        "remarks": _length_remarks(lengths) + _leakage_remarks(leakage),
    }


def _steps(queries: SplitQueries) -> dict[str, int]:
    """Counts of the generated queries that each filter leaves, and of each split, including real ones."""
    left = len(queries.candidates.generated)
    steps = {"generated": left}
    for reason in REASONS:
        left -= sum(dropped_for == reason for dropped_for in queries.dropped.values())
        steps[f"after_{reason}"] = left
    steps |= {"kept": left, "real_for_training": len(queries.candidates.real)}
    return steps | {split: len(rows) for split, rows in queries.rows.items()}


def _openings(typed: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """The number of queries per source that begin with each of the most frequent first words, and with any other."""
    counts = {name: Counter(text.split()[0].casefold() for text in texts) for name, texts in typed.items()}
    shares: dict[str, float] = {}
    for name, of_source in counts.items():
        for word, count in of_source.items():
            shares[word] = max(shares.get(word, 0.0), count / len(typed[name]))
    named = sorted(shares, key=lambda word: (-shares[word], word))[:_OPENINGS]
    return {
        name: {word: of_source[word] for word in named}
        | {"others": of_source.total() - sum(of_source[word] for word in named)}
        for name, of_source in counts.items()
    }


def words(text: str) -> int:
    """Words between spaces; characters if a script has no spaces between words."""
    return len(_COUNTED.findall(text))


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
    # Shares are fractions of small numbers: 3 of 5 must not fall below 60% by rounding.
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
    others = []
    for name, whose in (("real", "your real queries"), ("log", "those of your search log")):
        if name in lengths and lengths[name]["n"] >= _TOO_FEW:
            theirs = lengths[name]["median"]
            if max(ours, theirs) >= _TIMES_LONGER * max(min(ours, theirs), 1):
                others.append(f"{whose} {theirs:g}")
    if not others:
        return []
    return [
        f"Generated queries have {ours:g} words, {' and '.join(others)} (medians): the model learns from queries whose "
        "length differs from what people type"
    ]


def _leakage_remarks(leakage: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if "generated" not in leakage:
        return []
    ours = leakage["generated"]["mean"]
    repeats = f"A passage repeats {_percent(ours)} of the words of its generated queries"
    if "real" not in leakage or leakage["real"]["n"] < _TOO_FEW:
        if ours < _NEARLY_ALL:
            return []
        return [f"{repeats}: word search finds it as it is; only real queries show how people fare who use other words"]
    theirs = leakage["real"]["mean"]
    if ours - theirs >= _SHARED_MORE:
        return [
            f"{repeats}, and {_percent(theirs)} of the words of real ones: the generated ones are easier than what "
            "people type, so believe the scores on real queries"
        ]
    if theirs - ours >= _SHARED_MORE:
        return [
            f"{repeats}, and {_percent(theirs)} of the words of real ones: people use the documents' own words more, "
            "so word search does better for people's queries than for the generated ones"
        ]
    return []


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
