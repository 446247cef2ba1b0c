"""The README and the pages of docs/: what they show as code, and which commands no test runs."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.imports import ROOT

README = "README.md"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / README, *sorted((ROOT / "docs").glob("*.md"))]
}


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    language: str
    title: str
    text: str


def blocks(language: str = "", pages: str | None = None) -> Iterator[Block]:
    """The code blocks of all pages, or of one, in a language or in any."""
    for page, text in PAGES.items():
        if pages in (None, page):
            for info, code in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
                words, _, title = info.partition(" title=")
                if language in ("", words):
                    yield Block(page, words, title.strip('"'), code)


def lines(block: Block) -> list[str]:
    """The commands of a shell block, without their comments."""
    commands = [line.partition("  #")[0].strip() for line in block.text.splitlines()]
    return [command for command in commands if command]


def commands(page: str | None = None) -> list[str]:
    """Every line of the shell blocks of a page, or of all."""
    return [line for block in blocks("sh", page) for line in lines(block)]


def not_run() -> set[str]:
    """The commands that no test runs as they stand; each has its reason in tests/not_run.txt."""
    listed = (ROOT / "tests/not_run.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition(" | ")[0] for line in listed if not line.startswith("#")}


def section(page: str, heading: str) -> str:
    """A page's text from a heading up to the next of its level."""
    text = PAGES[page]
    begin = text.index(f"{heading}\n")
    level = heading.partition(" ")[0]
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin + len(heading) :], flags=re.MULTILINE)
    return text[begin : begin + len(heading) + end.start()] if end else text[begin:]
