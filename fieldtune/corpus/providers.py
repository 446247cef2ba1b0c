"""Providers of generated queries, by the name that stands with each query, and what others must know of them.

How a provider gets its queries is in stages/generate/, so that an edit there reruns no stage that asks only this.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """What tells a provider apart, wherever its queries or a choice of it are looked at."""

    by_model: bool = False  # a language model writes so many queries per passage as it is asked for
    offline: bool = False  # out of the passages' own words: for any documents, but not what people type
    paid: bool = False
    of_sample: bool = False  # its queries are of the sample's documents
    needs_pairs: bool = False  # its queries are those of `pairs:` in params.yaml


TRAITS = {
    "recorded": Traits(of_sample=True),
    "recorded_styled": Traits(of_sample=True),
    "pairs": Traits(needs_pairs=True),
    "keyphrases": Traits(offline=True),
    "claude": Traits(by_model=True, paid=True),
    "claude_batch": Traits(by_model=True, paid=True),
    "local": Traits(by_model=True),
}


STYLED = "styled"  # the kind of queries that imitate typed ones
TYPED = ("real", "own", STYLED)  # kinds that tell what people type


def traits(provider: str) -> Traits:
    """The traits of a provider; none of them for a name that is not a provider's, such as that of real queries."""
    return TRAITS.get(provider, Traits())
