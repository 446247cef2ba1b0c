"""Code, tables and raised signs in Markdown, as the readers of other formats write them."""

import math
import re
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from fieldtune.corpus.unicode import repair


def raised(before: str, text: str) -> str:
    """A superscript in plain text: 10^6, x^2, note[3], 1st; `before` is the text that it stands behind."""
    text = text.strip()
    inner = text.strip("[]()")
    base = re.search(r"[^\W_]+$|[)\]]$", before)
    if not inner or not re.match(r"[\d*†‡+−–-]|[a-z]$", inner):
        return text  # 1st, TM
    if base and inner[0] not in "*†‡" and (len(base[0]) <= 3 or base[0][-1].isdigit()) and text[0] not in "[(":
        return f"^{inner}"
    return f"[{inner}]"


def fenced(text: str, language: str = "") -> str:
    """A block of code, by a fence that is longer than any in it; nothing if it is blank."""
    if not text.strip():
        return ""
    code = text.strip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code}\n{fence}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its header, without rows and columns that are blank."""
    width = max(map(len, rows), default=0)
    cells = [[" ".join(repair(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row + [""] * (width - len(row)) for row in cells if any(row)]
    used = [column for column in range(width) if any(row[column] for row in filled)]
    written = [f"| {' | '.join(row[column] for column in used)} |" for row in filled]
    return "\n".join([*written[:1], f"|{' --- |' * len(used)}", *written[1:]]) if written else ""


def cell(value: Any) -> str:
    """A value as the cell of a table shows it by default: 15 digits, no time at midnight, nothing for NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return f"{value:.15g}" if isinstance(value, float) else str(value)
