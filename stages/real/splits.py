"""The one use that a row of real queries says for its query."""

from collections.abc import Mapping
from typing import Any

from fieldtune.corpus.real_queries import SPLITS
from fieldtune.corpus.tables import cell
from fieldtune.runtime.errors import UserError


def split_of(where: str, row: Mapping[str, Any]) -> str:
    """The split of a row (its column `group`), `test` if it says none.

    Raises UserError that names the row for an unknown one.
    """
    split = cell(row, "group") or "test"
    if split not in SPLITS:
        raise UserError(f"{where}: group is {split}: it must be one of {', '.join(SPLITS)}, or nothing")
    return split
