"""Judgements in a table of real queries: how well a row's place answers its query."""

from collections.abc import Mapping
from typing import Any

from fieldtune.corpus.tables import cell
from fieldtune.runtime.errors import UserError

ANSWER = 1  # the least grade of a section that answers
PARTLY = 0.5  # the grade of a section that answers partly: half the gain of one that answers
_GRADES = {"": ANSWER, "2": ANSWER, "1": PARTLY, "0": 0}  # by the column `relevance`
_ANSWERED = {"": True, "true": True, "false": False}


def grade_of(where: str, row: Mapping[str, Any]) -> float:
    """The grade of a row's place by its `relevance`: 1 for 2 (answers) or nothing, 0.5 for 1 (partly), 0 for 0 (not).

    A row of BEIR qrels has its `beir_score` as grade. Raises UserError that names the row for any other relevance.
    """
    if "beir_score" in row:
        return int(row["beir_score"])
    relevance = cell(row, "relevance").removesuffix(".0")  # of a spreadsheet
    if relevance not in _GRADES:
        raise UserError(
            f"{where}: relevance is {relevance}: it must be 2 (answers the query), 1 (partly), 0 (does not), or empty"
        )
    return _GRADES[relevance]


def is_answered(where: str, row: Mapping[str, Any]) -> bool:
    """False if a row says `answered: false`: someone looked, and these documents do not answer its query.

    Raises UserError that names the row for anything but true, false and nothing.
    """
    answered = cell(row, "answered")
    if answered.casefold() not in _ANSWERED:
        raise UserError(f"{where}: answered is {answered}: it must be true or false, or empty")
    return _ANSWERED[answered.casefold()]
