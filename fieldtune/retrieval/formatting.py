"""Numbers, intervals and long texts, formatted for reports, summaries and tables."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # without NumPy the command line starts sooner
    from fieldtune.retrieval.significance import Interval

_TOO_FEW = "too few groups"  # of queries, for an interval


def score(value: float) -> str:
    return f"{value:.3f}"


def signed(value: float) -> str:
    return f"{value:+.3f}"


def count(value: int) -> str:
    return f"{value:,}"


def share(value: float) -> str:
    return "<1%" if 0 < value < 0.005 else f"{100 * value:.0f}%"


def percent(value: float) -> str:
    """A share with only the digits that it needs, such as 12.5%."""
    return f"{100 * value:g}%"


def difference_ends(interval: "Interval") -> str:
    return f"{signed(interval.low)} to {signed(interval.high)}" if interval.known else _TOO_FEW


def score_ends(interval: "Interval") -> str:
    ends = f"{score(interval.low)}–\N{ZERO WIDTH SPACE}{score(interval.high)}"
    return ends if interval.known else _TOO_FEW


def difference(interval: "Interval", confidence: float) -> str:
    """A difference with its interval, in words."""
    if not interval.known:
        return f"{signed(interval.mean)} ({_TOO_FEW} for an interval)"
    return f"{signed(interval.mean)} ({percent(confidence)} interval {difference_ends(interval)})"


def capitalized(text: str) -> str:
    """The text with its first letter in upper case, and the others as they are."""
    return text[:1].upper() + text[1:]


def beginning(text: str, letters: int) -> str:
    """A text on one line, cut after a word and ended by an ellipsis if it has more than `length` letters."""
    whole = " ".join(text.split())
    return whole if len(whole) <= letters else whole[:letters].rsplit(" ", 1)[0] + " …"
