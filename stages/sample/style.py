"""The sample's style: twelve of its real queries, named by hash, since their text stays out of the repository."""

import hashlib
from collections.abc import Sequence

from fieldtune.corpus.style import Style, measure

# Of sections for which no query was recorded: recorded_styled.jsonl was written in the style of these.
_EXAMPLES = (
    "23542b50fb2dd37f",
    "7b9491ee988f43b9",
    "af94ab5a80365cbc",
    "3910923c8fc106c9",
    "4429a7b865a4ea95",
    "61f3cc0025f04cbe",
    "b458e586f55f5df5",
    "e6af363c7fe06074",
    "02f2e19f6e64524e",
    "934861c5d465a5d2",
    "17f3c5cc34988126",
    "4312fd6fff57dd7b",
)


def sample_style(queries: Sequence[str]) -> Style | None:
    """The style of the sample's real queries; None if the examples are not among them."""
    by_hash = {hashlib.sha256(query.encode()).hexdigest()[:16]: query for query in queries}
    examples = [by_hash[digest] for digest in _EXAMPLES if digest in by_hash]
    return Style(examples, measure(queries)) if len(examples) == len(_EXAMPLES) else None
