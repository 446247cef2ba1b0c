"""The lines of a PDF's page in the order of reading, which need not be that of drawing."""

import ctypes
import itertools
import math
import re
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

_LINE_HYPHEN = "\ufffe"  # PDFium's mark for a hyphen and the line's end behind it
_ENDS = re.compile(rf"\r\n|(?<={_LINE_HYPHEN})")
_FIXED_PITCH = 1  # a flag of fonts
_MONOSPACED = re.compile(r"mono|courier|consol|menlo|typewriter|cmtt|code", re.IGNORECASE)
_TURNED = math.radians(10)
_COLUMN = 20  # letters of a line in a column, at least: the cells of a table are shorter
_GUTTER = 1.2  # of a line's height
_PARAGRAPH = 3.5  # of the usual distance of lines: what is farther apart is not one paragraph
_NO_BOX = (0.0, 0.0, 0.0, 0.0)


class Line(NamedTuple):
    """Letters that stand on one line, in the page's frame turned so that they run to the right and down."""

    text: str
    start: int  # its first letter's number in the page
    left: float
    right: float
    top: float  # grows downwards
    bottom: float
    angle: float  # radians
    is_code: bool


def read_lines(text_page: Any) -> list[str]:
    """A page's lines: a blank one between what is far apart, and code behind a tab, indented as it is shown."""
    lines = _drawn(text_page)
    if not lines:
        return []
    angle = statistics.mode(round(line.angle, 1) for line in lines)
    upright = [line for line in lines if _is_near(line.angle, angle)]
    turned = [line.text for line in lines if not _is_near(line.angle, angle)]
    if text_page.count_rects() > len(lines):
        upright = [part for line in upright for part in _split(text_page, line)]
    upright = _in_columns(_downwards(upright))
    pitches = [b.top - a.top for a, b in itertools.pairwise(upright) if b.top > a.top + 1]
    pitch = statistics.median_low(pitches) if pitches else math.inf
    margin = min((line.left for line in upright if line.is_code), default=0.0)
    texts: list[str] = []
    for above, line in zip([upright[0], *upright], upright, strict=False):
        if line.top - above.top > _PARAGRAPH * pitch and len(pitches) > 1:
            texts.append("")
        texts.append(_indented(line, margin) if line.is_code else line.text)
    return [*texts, *([""] if turned else []), *turned]


def _drawn(text_page: Any) -> list[Line]:
    """The lines as they are drawn."""
    text = text_page.get_text_range()
    lines = []
    start = 0
    for part in re.split(_ENDS, text):
        words = part.replace(_LINE_HYPHEN, "-")
        if words.strip():
            inner = part.strip()
            first = start + part.index(inner)
            lines.append(_line(text_page, words, first, first + len(inner) - 1))
        start += len(part) + (0 if part.endswith(_LINE_HYPHEN) else 2)
    return lines


def _line(text_page: Any, text: str, first: int, last: int) -> Line:
    angle, is_code = _font(text_page, first)
    boxes = [_turned(_box(text_page, number), angle) for number in (first, last)]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return Line(text, first, min(lefts), max(rights), min(tops), max(bottoms), angle, is_code)


def _box(text_page: Any, number: int) -> tuple[float, float, float, float]:
    try:
        left, bottom, right, top = text_page.get_charbox(number)
    except Exception:  # a letter that has no place: PDFium made it
        return _NO_BOX
    return left, bottom, right, top


def _turned(box: tuple[float, float, float, float], angle: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a box in the frame of letters that are turned by `angle`, growing downwards."""
    if not angle:
        return box[0], -box[3], box[2], -box[1]
    cosine, sine = math.cos(angle), math.sin(angle)
    corners = [(x * cosine + y * sine, y * cosine - x * sine) for x in box[::2] for y in box[1::2]]
    along, up = [x for x, _ in corners], [y for _, y in corners]
    return min(along), -max(up), max(along), -min(up)


def _font(text_page: Any, number: int) -> tuple[float, bool]:
    """The angle of a letter, anticlockwise in radians, and if its font is one for code."""
    from pypdfium2 import raw  # type: ignore[import-untyped]

    clockwise = float(raw.FPDFText_GetCharAngle(text_page.raw, number))
    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    raw.FPDFText_GetFontInfo(text_page.raw, number, name, 128, flags)
    is_code = bool(flags.value & _FIXED_PITCH) or _MONOSPACED.search(name.value.decode(errors="replace")) is not None
    return -max(clockwise, 0.0) % math.tau, is_code


def _is_near(angle: float, other: float) -> bool:
    apart = abs(angle - other) % math.tau
    return min(apart, math.tau - apart) < _TURNED


def _split(text_page: Any, line: Line) -> list[Line]:
    """A line in parts with gutters between, and blanks where letters stand as far apart as words."""
    text = line.text
    boxes = [_turned(_box(text_page, line.start + n), line.angle) for n in range(len(text.strip()))]
    text, offset = text.strip(), len(text) - len(text.lstrip())
    height = max(line.bottom - line.top, 1.0)
    shown = [n for n, letter in enumerate(text) if not letter.isspace() and boxes[n] != _turned(_NO_BOX, line.angle)]
    gaps = {b: boxes[b][0] - boxes[a][2] for a, b in itertools.pairwise(shown)}
    inside = [gap for b, gap in gaps.items() if b - 1 in gaps]
    usual = statistics.median(inside) if inside else 0.0
    parts: list[Line] = []
    begin, words = 0, ""
    for number, letter in enumerate(text):
        gap = gaps.get(number, 0.0)
        if gap > _GUTTER * height and words.strip() and text[number - 1].isspace():
            parts.append(line._replace(text=words.strip(), left=boxes[begin][0], right=boxes[number][0] - gap))
            begin, words = number, ""
        elif (gap > max(0.22 * height, 2.5 * usual) or gap < -0.25 * height) and number - 1 in shown:
            # Words that are placed one by one, without a blank; back to the left run Arabic's letters, too.
            words += " " if words[-1:].isalnum() and letter.isalnum() and letter.isascii() else ""
        words += letter
    if not parts:
        return [line._replace(text=line.text[:offset] + words)]
    return [*parts, line._replace(text=words, left=boxes[begin][0])]


def _downwards(lines: Sequence[Line]) -> list[Line]:
    """Lines that are drawn from the bottom of the page to its top, from top to bottom."""
    steps = [b.top - a.top for a, b in itertools.pairwise(lines) if abs(b.top - a.top) > 1]
    if len(steps) > 1 and sum(step < 0 for step in steps) > 0.6 * len(steps):
        return sorted(lines, key=lambda line: (round(line.top), line.left))
    return list(lines)


def _in_columns(lines: Sequence[Line]) -> list[Line]:
    """Rows of two columns, drawn line by line, as one column and then the other; other rows are put together again."""
    rows = [list(row) for _, row in itertools.groupby(lines, key=lambda line: (line.start, round(line.top)))]
    rows = [row for _, group in itertools.groupby(rows, key=lambda row: round(row[0].top / 2))
            for row in [[line for part in group for line in part]]]  # fmt: skip
    result: list[Line] = []
    for in_two, group in itertools.groupby(rows, key=_is_in_two):
        block = list(group)
        gutter = max((row[0].right for row in block), default=0.0) < min((row[-1].left for row in block), default=0.0)
        if in_two and gutter and len(block) > 2:
            result += [row[0] for row in block] + [row[1] for row in block]
        else:
            result += [_joined(row) if len(row) > 1 else row[0] for row in block]
    return result


def _is_in_two(row: Sequence[Line]) -> bool:
    return len(row) == 2 and min(len(line.text) for line in row) >= _COLUMN


def _joined(row: Sequence[Line]) -> Line:
    return row[0]._replace(text=" ".join(line.text for line in row), right=row[-1].right)


def _indented(line: Line, margin: float) -> str:
    """Code behind a tab, with the blanks that it is indented by."""
    text = line.text.strip()
    width = (line.right - line.left) / max(len(text), 1)
    return "\t" + " " * (round((line.left - margin) / width) if width > 0 else 0) + text
