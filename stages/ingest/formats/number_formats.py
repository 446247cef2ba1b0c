"""Numbers as a workbook shows them: 15%, 9.50 EUR, 01234."""

import re
from functools import lru_cache

_LITERAL = re.compile(r"\"([^\"]*)\"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|_.|\*.")
_DIGITS = re.compile(r"[#0?][#0?,]*(?:\.[0#?]*)?,*")
_EXACT = 1e15  # Excel keeps 15 digits
_FEW = 1000  # formats that are kept


def shown(value: float, number_format: str | None) -> str:
    """A number by its format; "" for a format that shows it as it is, or is not one of plain numbers."""
    plan = _plan(number_format or "General", value < 0)
    if plan is None or abs(value) >= _EXACT:
        return ""
    before, after, whole, decimals, grouped, percent = plan
    number = round(abs(value) * (100 if percent else 1), decimals)
    digits = f"{number:{',' if grouped else ''}.{decimals}f}"
    ahead, _, behind = digits.partition(".")
    return f"{before}{ahead.zfill(whole)}{'.' * bool(behind)}{behind}{after}"


@lru_cache(maxsize=_FEW)
def _plan(number_format: str, negative: bool) -> tuple[str, str, int, int, bool, bool] | None:
    """The parts of a number format: text around the digits, digits around the point, thousands, percent."""
    sections = re.split(r";(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", number_format)
    own = negative and len(sections) > 1 and bool(sections[1])
    section = sections[1] if own else sections[0]
    literals: list[str] = []

    def keep(match: re.Match[str]) -> str:
        literals.append(next((part for part in match.groups() if part), ""))
        return chr(0xE000 + len(literals) - 1)

    bare = _LITERAL.sub(keep, section)
    digits = _DIGITS.findall(bare)
    if len(digits) != 1 or re.search(r"[A-Za-z@/]|E\+", bare.replace("%", "")) or digits[0].endswith(","):
        return None  # General, dates, fractions, powers, thousands
    before, _, after = bare.partition(digits[0])
    whole, _, decimals = digits[0].partition(".")
    has_decimals = "0" in decimals or "0" in whole
    if not has_decimals or "#" in decimals or "?" in decimals:
        return None

    def filled(text: str) -> str:
        return "".join(literals[ord(c) - 0xE000] if 0xE000 <= ord(c) < 0xF000 else c for c in text)

    sign = "-" if negative and not own else ""
    return (
        sign + filled(before).lstrip(),
        filled(after).rstrip(),
        whole.count("0"),
        len(decimals),
        "," in whole,
        "%" in bare,
    )
