"""Rows of tables with people's queries, as the stages `real` and `generate` will read them."""

from collections.abc import Mapping
from typing import Any

from fieldtune.corpus.tables import cell
from fieldtune.runtime.errors import UserError
from fieldtune.sources.places import NAMES


def query_of(where: str, row: Mapping[str, Any]) -> str:
    """The query of a row, on one line. Raises UserError if it has none."""
    if "query" not in row:
        columns = ", ".join(name for name in row if name) or "none"
        raise UserError(
            f"{where}: no column `query`; it has {columns}. Known are query and, for the answer's place, "
            f"{', '.join(reversed(NAMES))} and section"
        )
    if not (query := one_line(cell(row, "query"))):
        raise UserError(f"{where}: no `query`: each row needs one")
    return query


def has_answer(row: Mapping[str, Any]) -> bool:
    """True if a row says where its query's answer stands."""
    return any(cell(row, name) for name in NAMES)


def one_line(text: str) -> str:
    return " ".join(text.split())
