"""The one use that a real query has: what its row says, or `style` if generated queries imitate it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fieldtune.corpus.real_queries import SPLITS, RealQuery
from fieldtune.corpus.style import equals_example
from fieldtune.corpus.tables import cell
from fieldtune.runtime.errors import UserError


def split_of(where: str, row: Mapping[str, Any]) -> str:
    """The split of a row (its column `split`, or `group` as older tables call it); `test` if there is none.

    Raises UserError that names the row if the split is unknown.
    """
    name = "split" if cell(row, "split") else "group"
    split = cell(row, name) or "test"
    if split not in SPLITS:
        raise UserError(f"{where}: {name} is {split}: it must be one of {', '.join(SPLITS)}, or empty")
    return split


def style_apart(queries: Sequence[RealQuery], examples: Sequence[str]) -> list[RealQuery]:
    """The queries; those of test and dev that equal an example become `style`: the generated ones have seen them."""
    return [
        replace(query, split="style")
        if query.split in ("test", "dev") and equals_example(query.query, examples)
        else query
        for query in queries
    ]
