"""PDF: the pages' text, its lines joined to paragraphs."""

import itertools
import re
import statistics
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError
from stages.ingest.formats.repeated_lines import strip_repeated_lines
from stages.ingest.sections import Section, slug

_NARROWEST = 30  # bytes of a line in a column
_LINE_HYPHEN = "\ufffe"  # PDFium's mark for a hyphen and the line's end behind it
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_HYPHENS = "-\u2010"
# How points of a list begin, and numbered headings.
_ITEM = re.compile(r"[•▪‣◦●○■□–—*·-]\s|\(?\w{1,3}[.)]\s|\d+(\.\d+)*\.?\s")
# What programs write where no one gave a title.
_NO_TITLE = re.compile(
    r"\W*|(untitled|title|document|(powerpoint )?presentation)\W*\d*|microsoft \w+ - .*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|rtf|odt|odp|tex|dvi|ps|indd|qxd|html?|txt|md)",
    re.IGNORECASE,
)


def read(path: Path, source: str, _: Fields) -> Content:
    """A section a page, without lines that stand at the top or bottom of at least half of the pages."""
    title, pages = _title_and_pages(path)
    blank = sum(not any(map(str.strip, page)) for page in pages)
    if blank == len(pages):
        raise UnreadableError("no text in it: a scan needs OCR first")
    pages, left_out = strip_repeated_lines(pages)
    if blank:
        left_out["pages_without_text"] = blank
    title = repair(path.stem) if _NO_TITLE.fullmatch(title) else title
    full = _full_length(pages)
    sections = [
        Section(source, f"Page {number}", slug(f"Page {number}"), title, text)
        for number, page in enumerate(pages, start=1)
        if (text := _paragraphs(page, full))
    ]
    return sections, left_out


def _title_and_pages(path: Path) -> tuple[str, list[list[str]]]:
    """The title in a file's metadata, and the lines of each page."""
    import pypdfium2 as pdfium  # type: ignore[import-untyped]

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise UnreadableError("encrypted" if error.err_code == _PASSWORD_ERROR else "broken, or no PDF file") from error
    with document:
        title = " ".join(repair(document.get_metadata_value("Title")).split())
        pages = []
        for page in document:
            text_page = page.get_textpage()
            pages.append(repair(text_page.get_text_range().replace(_LINE_HYPHEN, "-\n")).split("\n"))
            text_page.close()
            page.close()
    return title, pages


def _full_length(pages: Sequence[Sequence[str]]) -> float:
    """The length from which a line goes to the margin, in bytes: in UTF-8 those letters have more that are wider."""
    lengths = [len(line.strip().encode()) for page in pages for line in page if line.strip()]
    longest = statistics.quantiles(lengths, n=10, method="inclusive")[-1] if len(lengths) > 1 else 0.0
    return max(0.8 * longest, _NARROWEST)


def _paragraphs(lines: Sequence[str], full: float) -> str:
    """Lines joined to paragraphs: where one goes to the margin, or the next goes on in lower case."""
    lines = [stripped for line in lines if (stripped := line.strip())]
    if not lines:
        return ""
    text = lines[0]
    for line, following in itertools.pairwise(lines):
        last, first = line[-1], following[0]
        if last in _HYPHENS and line[-2:-1].isalpha() and first.isalpha():
            text = (text[:-1] if first.islower() else text) + following
            continue
        length = len(line.encode())
        goes_on = length >= full or (length >= full / 2 and first.islower() and last not in ".;!?")
        if not goes_on or last == ":" or _ITEM.match(following):
            text += f"\n{following}"
        else:
            text += following if _is_ideographic(last) and _is_ideographic(first) else f" {following}"
    return text


def _is_ideographic(letter: str) -> bool:
    """Tell if a letter is of a script without blanks between words, or of its punctuation."""
    return unicodedata.east_asian_width(letter) in "WF" and "HANGUL" not in unicodedata.name(letter, "")
