"""Markdown and plain text → sections: the unit that people point at."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from markdown_it import MarkdownIt

from stages.text import LETTERS

# `---` on the first line counts as front matter only where a key follows: else it is a rule over text.
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?P<yaml>[\w\"'-]+[ \t]*:.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_SPOKEN = ("text", "code_inline", "image")  # inline tokens whose content a reader sees


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next, whatever their levels."""

    source: str  # the file's POSIX path relative to the documents folder
    section: str  # the heading's text; a repeated heading gets `~2`, `~3`, …
    slug: str  # the heading as a URL fragment spells it; a repeated slug gets `~2`, `~3`, …
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

    The document's title is its first heading, if that is the only one of level 1; else the `title` of its YAML
    front matter, which is no text; else `name`, the file's name.
    """
    # Lines as CommonMark counts them; splitlines() would also break at U+2028 and the like.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title = name
    if front := _FRONT_MATTER.match(text):
        title = _title(front["yaml"]) or name
        text = text[front.end() :]
    lines = text.split("\n")
    headings = list(_headings(text))
    before = title  # the label of what stands before the first heading
    titled = [heading.level for heading in headings].count(1) == 1 and headings[0].level == 1
    if titled:
        before, title = name, headings[0].text
    ends = [heading.start for heading in headings] + [len(lines)]
    bodies: list[tuple[_Heading | None, int]] = list(zip(headings, ends[1:], strict=True))
    sections: list[tuple[int, Section]] = []
    labels: Counter[str] = Counter()
    slugs: Counter[str] = Counter()
    path: list[_Heading] = []
    # What stands before the first heading is named last: whether it is there must not rename the others.
    for heading, end in [*bodies, (None, ends[0])]:
        if heading is None:
            path = []
        elif not (titled and heading is headings[0]):
            path = [above for above in path if above.level < heading.level] + [heading]
        start = heading.end if heading else 0
        if content := "\n".join(lines[start:end]).strip():
            label = heading.text if heading else before
            words = " ".join([title, *(above.text for above in path)])
            named = Section(source, _distinct(label, labels), _distinct(slug(label), slugs), words, content)
            sections.append((start, named))
    return [section for _, section in sorted(sections, key=lambda found: found[0])]


def slug(heading: str) -> str:
    """A heading as a URL fragment: lower case, words joined by hyphens, letters of any script kept."""
    words = re.findall(f"[{LETTERS}]+", unicodedata.normalize("NFKC", heading).lower())
    return "-".join(words) or "section"


def _distinct(name: str, used: Counter[str]) -> str:
    """`name`, or `name~2`, `name~3`, … where it was given before."""
    used[name] += 1
    return name if used[name] == 1 else _distinct(f"{name}~{used[name]}", used)


def _title(front_matter: str) -> str | None:
    try:
        keys = yaml.safe_load(front_matter)
    except (yaml.YAMLError, ValueError):  # other tools' templates, impossible dates
        return None
    title = keys.get("title") if isinstance(keys, dict) else None
    return " ".join(str(title).split()) if title else None


def _headings(text: str) -> Iterator[_Heading]:
    """The headings that have words, but for those inside lists and quotations."""
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            children = inline.children or []
            said = (c.content if c.type in _SPOKEN else " " * c.type.endswith("break") for c in children)
            if words := " ".join("".join(said).split()):
                yield _Heading(int(opening.tag[1]), words, *opening.map)
