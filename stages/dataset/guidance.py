"""Guidance on the number of training pairs: what to expect from that many."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fieldtune.corpus.providers import traits

_OVERFITS, _LEAST, _RELIABLE = 200, 500, 2000  # pairs


def size_guidance(
    pairs: int,
    passages: int,
    dollars_per_passage: float | None = None,
    in_all: int | None = None,
    *,
    by_model: bool = False,
) -> str:
    """A sentence on the size of the training set, with the number of passages that need queries and their cost.

    `passages` counts those with queries, in any split: they gave `pairs` training pairs, at least one. `in_all` is the
    number of passages in the corpus, `dollars_per_passage` the price of one passage's queries from `generator: claude`;
    `by_model`: a model writes the queries, and can write more per passage.
    The sentence starts with `reliable` if there are enough.
    """
    if pairs >= _RELIABLE:
        return f"reliable: {pairs:,} training pairs, {_RELIABLE:,} or more are enough"
    more = math.ceil((_RELIABLE - pairs) * passages / pairs)
    advice = f"write queries for about {more:,} more passages to have {_RELIABLE:,}"
    if dollars_per_passage is not None:
        advice += f" ({_dollars(more * dollars_per_passage)} with `generator: claude`)"
    if in_all is not None and (left := in_all - passages) < more:
        none = f"only {left:,} of your {in_all:,} passages have none" if left else "all your passages have queries"
        more_a_passage = (
            "request more queries per passage (`queries_per_passage` in conf/generator/)"
            if by_model
            else "let a model write several per passage (`generator: claude` or `local`)"
        )
        advice += f"; {none}, so add documents or {more_a_passage}"
    if pairs >= _LEAST:
        return f"enough to learn from: {pairs:,} training pairs; {advice}"
    if pairs >= _OVERFITS:
        return f"few: {pairs:,} training pairs, a result can be trusted from {_LEAST} on; {advice}"
    return f"too few: {pairs:,} training pairs, expect overfitting below {_OVERFITS}; {advice}"


def written_by_model(queries: Iterable[Mapping[str, Any]]) -> bool:
    """Tell if a model wrote any of these rows of queries.jsonl: it can write more queries per passage."""
    return any(traits(query["provider"]).by_model for query in queries)


def _dollars(amount: float) -> str:
    return f"about ${amount:,.2f}" if amount >= 0.01 else "under $0.01"
