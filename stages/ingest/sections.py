"""Text and its headings → sections: the unit that people point at."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from markdown_it import MarkdownIt

from fieldtune.corpus.scripts import LETTERS

# `---` on the first line counts as front matter only if a key follows: otherwise it is a rule over text.
_FRONT_MATTER = re.compile(r"---[ \t]*\n(?P<yaml>[\w\"'-]+[ \t]*:.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# What is inside blocks is read for headings alone: that is most of the time.
_BLOCKS = MarkdownIt("commonmark").disable("inline")
_WORDS = MarkdownIt("commonmark")
_SPOKEN = ("text", "code_inline", "image")  # inline tokens whose content a reader sees


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next, whatever their levels."""

    source: str  # the file's POSIX path relative to the documents folder
    section: str  # the heading's text; a repeated heading gets `~2`, `~3`, …
    slug: str  # the heading as a URL fragment spells it; a repeated slug gets `~2`, `~3`, …
    title: str  # the document's title and the headings down to this section, joined by blanks
    text: str  # as the source has it, without blank lines around it
    document: str = ""  # the document it belongs to, if a file holds several; otherwise the file is one


@dataclass(frozen=True)
class Part:
    """A heading and the text up to the next one."""

    level: int  # 1 is the highest
    heading: str
    text: str


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
    """Cut Markdown at its headings (CommonMark's: not those in code).

    The document's title is that of `outlined`; if the headings give none, it is the `title` of the YAML front
    matter, which is not text, otherwise `name`, the file's name.
    """
    # Lines as CommonMark counts them; splitlines() would also break at U+2028 and the like.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title = name
    if front := _FRONT_MATTER.match(text):
        title = _title(front["yaml"]) or name
        text = text[front.end() :]
    lines = text.split("\n")
    headings = list(_headings(text))
    ends = [heading.start for heading in headings] + [len(lines)]
    parts = [
        Part(heading.level, heading.text, "\n".join(lines[heading.end : end]))
        for heading, end in zip(headings, ends[1:], strict=True)
    ]
    return outlined(source, name, title, "\n".join(lines[: ends[0]]), parts)


def outlined(source: str, name: str, title: str, opening: str, parts: Sequence[Part]) -> list[Section]:
    """The sections of a document that is cut at its headings; headings without text give none.

    The document's title is its first heading, if that is the only one of level 1; otherwise `title`. What stands before
    the first heading, `opening`, is named like the document, or like its file, `name`, where the title is a heading.
    """
    titled = [part.level for part in parts].count(1) == 1 and parts[0].level == 1
    before = name if titled else title
    if titled:
        title = parts[0].heading
    labels: Counter[str] = Counter()
    slugs: Counter[str] = Counter()

    def section(label: str, path: Sequence[Part], text: str) -> list[Section]:
        if not (text := text.strip()):
            return []
        words = " ".join([title, *(above.heading for above in path)])
        return [Section(source, _distinct(label, labels), _distinct(slug(label), slugs), words, text)]

    sections: list[Section] = []
    path: list[Part] = []
    for number, part in enumerate(parts):
        if not (titled and number == 0):
            path = [above for above in path if above.level < part.level] + [part]
        sections += section(part.heading, path, part.text)
    # What stands before the first heading is named last: whether it is there must not rename the others.
    return section(before, [], opening) + sections


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
    links: dict[str, Any] = {}  # those that the text defines, by their names
    for opening, inline in itertools.pairwise(_BLOCKS.parse(text, links)):
        if opening.type == "heading_open" and opening.level == 0 and opening.map:
            children = _WORDS.parseInline(inline.content, links)[0].children or []
            spoken = (c.content if c.type in _SPOKEN else " " * c.type.endswith("break") for c in children)
            if words := " ".join("".join(spoken).split()):
                yield _Heading(int(opening.tag[1]), words, *opening.map)
