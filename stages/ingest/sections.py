"""Text and its headings → sections: the unit that people point at."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from fieldtune.corpus.scripts import NO_WORDS, slug

MARK = "\ufdd0"  # Unicode keeps it out of texts
_MARKED = re.compile(rf"^{MARK}(\d) (.*?){MARK}(.*)$", re.MULTILINE)
_ASTRAY = re.compile(rf"{MARK}\d .*?{MARK}")  # of a heading that a converter put inside a line


@dataclass(frozen=True)
class Section:
    """The text between one heading and the next, whatever their levels."""

    source: str  # the file's POSIX path relative to the documents folder
    section: str  # the heading's text; a repeated heading gets `~2`, `~3`, …
    slug: str  # the heading as a URL fragment spells it; a repeated slug gets `~2`, `~3`, …
    title: str  # the document's title and the headings down to this section, joined by blanks
    text: str  # as the source has it, without blank lines around it
    document: str = ""  # the document it belongs to, if a file holds several; otherwise the file is one
    headings: tuple[str, ...] = field(default=(), compare=False)  # those that `title` joins
    anchor: str = field(default="", compare=False)  # the id that the source gives the heading, if any


@dataclass(frozen=True)
class Part:
    """A heading and the text up to the next one."""

    level: int  # 1 is the highest
    heading: str
    text: str
    anchor: str = ""  # the heading's own id


def plain_section(source: str, text: str, name: str) -> list[Section]:
    """Plain text is one section under its file's name; none if it is blank."""
    return [Section(source, name, slug(name), name, text.strip(), headings=(name,))] if text.strip() else []


def heading_mark(level: int, words: str, anchor: str = "") -> str:
    """A line that stands for a heading in text that `marked_sections` cuts: no line of a document passes for one."""
    return f"{MARK}{level} {anchor}{MARK}{words}"


def has_headings(text: str) -> bool:
    return _MARKED.search(text) is not None


def marked_sections(source: str, name: str, title: str, text: str) -> list[Section]:
    """Cut text at the lines of `heading_mark`; `title` is the document's if they give none, and may be blank."""
    opening, *rest = _MARKED.split(text)
    parts = [
        Part(int(level), " ".join(words.split()), _ASTRAY.sub("", below), anchor)
        for level, anchor, words, below in zip(rest[::4], rest[1::4], rest[2::4], rest[3::4], strict=True)
    ]
    return outlined(source, name, " ".join(title.split()) or name, _ASTRAY.sub("", opening), parts)


def outlined(source: str, name: str, title: str, opening: str, parts: Sequence[Part]) -> list[Section]:
    """The sections of a document that is cut at its headings; headings without text give none.

    The document's title is its first heading, if that is the only one of level 1; otherwise `title`. What stands before
    the first heading, `opening`, is named like the document, or like its file, `name`, if the title is a heading.
    """
    titled = [part.level for part in parts].count(1) == 1 and parts[0].level == 1
    before = name if titled else title
    if titled:
        title = parts[0].heading
    labels: Counter[str] = Counter()
    slugs: Counter[str] = Counter()

    def section(label: str, path: Sequence[Part], text: str, anchor: str = "") -> list[Section]:
        if not (text := text.strip()):
            return []
        headings = (title, *(above.heading for above in path))
        names = _distinct(label, labels), _distinct(slug(label), slugs)
        anchor = "" if slug(anchor.replace("_", "-")) in (NO_WORDS, slug(label).replace("_", "-")) else anchor
        return [Section(source, *names, " ".join(headings), text, headings=headings, anchor=anchor)]

    sections: list[Section] = []
    path: list[Part] = []
    for number, part in enumerate(parts):
        if not (titled and number == 0):
            path = [above for above in path if above.level < part.level] + [part]
        sections += section(part.heading, path, part.text, part.anchor)
    # What stands before the first heading is named last: whether it is there must not rename the others.
    return section(before, [], opening) + sections


def _distinct(name: str, used: Counter[str]) -> str:
    """`name`, or `name~2`, `name~3`, … if it was given before."""
    used[name] += 1
    return name if used[name] == 1 else _distinct(f"{name}~{used[name]}", used)
