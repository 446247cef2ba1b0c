"""Rows of tables with real queries, as the stages `real` and `generate` will read them."""

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
            f"{where}: no column `query`; its columns are {columns}. Known columns: query and, for the answer's place, "
            f"{', '.join(reversed(NAMES))} and section"
        )
    if not (query := one_line(cell(row, "query"))):
        raise UserError(f"{where}: `query` is empty: every row needs one")
    return query


def has_answer(row: Mapping[str, Any]) -> bool:
    """Tell if a row gives the place of its query's answer, and not of a partial one."""
    return any(cell(row, name) for name in NAMES) and cell(row, "relevance").removesuffix(".0") not in ("0", "1")


def one_line(text: str) -> str:
    return " ".join(text.split())
