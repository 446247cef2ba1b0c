"""The one use that a row of real queries says for its query."""

from collections.abc import Mapping
from typing import Any

from fieldtune.corpus.real_queries import GROUPS
from fieldtune.corpus.tables import cell
from fieldtune.runtime.errors import UserError


def group_of(where: str, row: Mapping[str, Any]) -> str:
    """The group of a row, `test` where it says none. Raises UserError that names the row for an unknown one."""
    group = cell(row, "group") or "test"
    if group not in GROUPS:
        raise UserError(f"{where}: group is {group}: it must be one of {', '.join(GROUPS)}, or nothing")
    return group
