"""PDF: the pages' text, its lines joined to paragraphs."""

import itertools
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fieldtune.corpus.scripts import slug
from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, UnreadableError, ocr
from stages.ingest.formats.pdf_layout import read_lines
from stages.ingest.formats.repeated_lines import strip_repeated_lines
from stages.ingest.formats.writing import fenced
from stages.ingest.sections import Section

_NARROWEST = 30  # bytes of a line in a column
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_HYPHENS = "-\u2010"
_LEADERS = re.compile(r"\s*(?:[.·…]\s?){5,}\s*")  # of a table of contents
# How points of a list begin, and numbered headings.
_ITEM = re.compile(r"[•▪‣◦●○■□–—*·-]\s|\(?\w{1,3}[.)]\s|\d+(\.\d+)*\.?\s")
# First words of compounds, which keep their hyphen at a line's end.
_COMPOUNDS = re.compile(
    r"built|cross|double|easy|ever|far|fast|first|five|four|free|full|half|hand|hard|heat|heavy|high|large|left|light|long"
    r"|low|near|new|old|one|open|point|quick|read|ready|real|right|self|short|single|six|slow|small|state|step|ten|third"
    r"|three|top|two|user|water|well|wide|write"
)
# What programs write where no one gave a title.
_PROGRAMS = r"power ?point|word|excel|latex|beamer|keynote|impress|writer|indesign|openoffice|libreoffice"
_NO_TITLE = re.compile(
    rf"\W*|(untitled|unbenannt|sans titre|senza titolo|sin título|title|document[oe]?|dokument|documento|präsentation"
    rf"|présentation|presentaci[oó]n|presentazione|presentatie|apresentação|presentation|презентация|演示文稿|プレゼンテーション|slide|folie"
    rf"|diapositiv[ae]|dia|print|scan|microsoft|(?:{_PROGRAMS})|de|[-–\s\d._])+\W*|\(?anonymous\)?|microsoft \w+ - .*"
    r"|(?:[A-Za-z]:[\\/]|\\\\|/\w+/).*"
    r"|.*\.(docx?|pptx?|xlsx?|pdf|rtf|odt|odp|tex|dvi|ps|indd|qxd|html?|txt|md)",
    re.IGNORECASE,
)


def read(path: Path, source: str, _: Fields) -> Content:
    """A section a page, without lines that stand at the top or bottom of at least half of the pages.

    Pages that are pictures are read by `ocr`, if it is installed, and counted otherwise.
    """
    title, pages, lost = _title_and_pages(path)
    if len(pages) == lost.get("pages_without_text", 0):
        raise UnreadableError(f"no text in it: {ocr.HINT}" if pages else "no pages in it")
    pages, left_out = strip_repeated_lines(pages)
    title = repair(path.stem) if _NO_TITLE.fullmatch(title) else title
    full = _full_length(pages)
    sections = [
        Section(source, f"Page {number}", slug(f"Page {number}"), title, text, headings=(title,))
        for number, page in enumerate(pages, start=1)
        if (text := _blocks(page, full))
    ]
    return sections, {**left_out, **lost}


def _title_and_pages(path: Path) -> tuple[str, list[list[str]], dict[str, int]]:
    """The title in a file's metadata, the lines of each page, and how many pages gave none, by why."""
    import pypdfium2 as pdfium  # type: ignore[import-untyped]

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise UnreadableError("encrypted" if error.err_code == _PASSWORD_ERROR else "broken, or no PDF file") from error
    pages: list[list[str]] = []
    lost: Counter[str] = Counter()
    with document:
        title = " ".join(repair(document.get_metadata_value("Title")).split())
        for number in range(len(document)):
            try:
                pages.append(_lines(document[number]))
                lost["pages_without_text"] += not pages[-1]
            except pdfium.PdfiumError:  # one bad page costs that alone
                pages.append([])
                lost["broken_pages"] += 1
    return title, pages, {name: count for name, count in lost.items() if count}


def _lines(page: Any) -> list[str]:
    """The lines of a page, read from its picture if it has no text; none if that has none either."""
    text_page = page.get_textpage()
    try:
        lines = [repair(line) for line in read_lines(text_page)]
        if any(map(str.strip, lines)):
            return lines
        return ocr.read_picture(lambda: page.render(scale=ocr.SCALE).to_numpy())
    finally:
        text_page.close()
        page.close()


def _full_length(pages: Sequence[Sequence[str]]) -> float:
    """The length from which a line goes to the margin, in bytes: in UTF-8 those letters have more that are wider."""
    lengths = [len(line.strip().encode()) for page in pages for line in page if line.strip()]
    longest = statistics.quantiles(lengths, n=10, method="inclusive")[-1] if len(lengths) > 1 else 0.0
    return max(0.8 * longest, _NARROWEST)


def _blocks(lines: Sequence[str], full: float) -> str:
    """The text of a page: code is fenced, other lines are joined to paragraphs."""

    def blocks() -> Iterator[str]:
        kinds = itertools.groupby(lines, key=lambda line: line[:1] if line.startswith("\t") else bool(line.strip()))
        for kind, group in kinds:
            if kind == "\t":
                code = [line[1:] for line in group]
                # A line or two may be a name in a sentence, or a whole page is typed so.
                is_listing = len(code) > 1 and any(line.startswith(" ") for line in code)
                yield fenced("\n".join(code)) if is_listing else _paragraphs(code, full)
            elif kind:
                yield _paragraphs(list(group), full)

    return "\n".join(filter(None, blocks()))


def _paragraphs(lines: Sequence[str], full: float) -> str:
    """Lines joined to paragraphs: if one goes to the margin, or the next goes on in lower case."""
    lines = [_LEADERS.sub(" … ", stripped) for line in lines if (stripped := line.strip())]
    if not lines:
        return ""
    text = lines[0]
    for line, following in itertools.pairwise(lines):
        last, first = line[-1], following[0]
        if last in _HYPHENS and line[-2:-1].isalpha() and first.isalpha():
            word = re.findall(r"[^\W\d_]+", line)[-1].casefold()
            keeps = first.isupper() or (_COMPOUNDS.fullmatch(word) and not line.endswith(f"-{word}-"))
            text = (text if keeps else text[:-1]) + following
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
