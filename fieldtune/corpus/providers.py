"""Providers of generated queries, by the name stored with each query, and their traits that other stages need.

The code of each provider is in stages/generate/, so that an edit there reruns no stage that only reads its traits.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """The traits of a provider that matter wherever its queries, or the choice of it, are looked at."""

    by_model: bool = False  # a language model writes as many queries per passage as requested
    offline: bool = False  # made from the passages' own words: for any documents, but unlike what people type
    paid: bool = False
    of_sample: bool = False  # its queries belong to the sample's documents
    needs_pairs: bool = False  # its queries come from `pairs:` in params.yaml


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
TYPED = ("real", "own", STYLED)  # kinds that resemble what people type


def traits(provider: str) -> Traits:
    """The traits of a provider; all false for a name that is not a provider's, such as that of real queries."""
    return TRAITS.get(provider, Traits())
