"""Markdown and plain text → sections: the unit that people point at."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next, whatever their levels."""

    source: str  # the file's POSIX path relative to the documents folder
    section: str  # the heading's text; a repeated heading gets `~2`, `~3`, …
    slug: str  # the same, as a URL fragment spells it
    title: str  # the document's title and the headings down to this section, joined by blanks
    text: str  # as the source has it, without blank lines around it


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str
    start: int  # its first line
    end: int  # the line after it


def plain_section(source: str, text: str, name: str) -> list[Section]:
    """Plain text is one section under its file's name; none where it is blank."""
    return [Section(source, name, slug(name), name, text.strip())] if text.strip() else []


def markdown_sections(source: str, text: str, name: str) -> list[Section]:
    """Cut Markdown at its headings (CommonMark's: not those in code); headings without text give no section.

    The document's title is its first heading, if that is the only one of level 1; else `name`, the file's name.
    """
    # Lines as CommonMark counts them; splitlines() would also break at U+2028 and the like.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    headings = list(_headings(text))
    first = headings[0] if headings else None
    titled = first is not None and first.level == 1 and sum(h.level == 1 for h in headings) == 1
    title = first.text if first is not None and titled else name
    sections: list[Section] = []
    seen: Counter[str] = Counter()
    path: list[_Heading] = []
    for heading, end in _bodies(headings, len(lines)):
        if heading is not None and not (titled and heading is first):
            path = [above for above in path if above.level < heading.level] + [heading]
        content = "\n".join(lines[heading.end if heading else 0 : end]).strip()
        if not content:
            continue
        label = path[-1].text if path else title
        seen[slug(label)] += 1
        repeat = f"~{seen[slug(label)]}" if seen[slug(label)] > 1 else ""
        words = " ".join([title, *(h.text for h in path)])
        sections.append(Section(source, label + repeat, slug(label) + repeat, words, content))
    return sections


def slug(heading: str) -> str:
    """A heading as a URL fragment: lower case, words joined by hyphens, letters of any script kept."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", heading).lower())
    return "-".join(words) or "section"


def _bodies(headings: list[_Heading], lines: int) -> Iterator[tuple[_Heading | None, int]]:
    """Each heading (None: the start of the document) with the line at which its text ends."""
    ends = [heading.start for heading in headings] + [lines]
    yield from zip([None, *headings], ends, strict=True)


def _headings(text: str) -> Iterator[_Heading]:
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            words = "".join(child.content or " " for child in inline.children or [])
            yield _Heading(int(opening.tag[1]), " ".join(words.split()), *opening.map)
