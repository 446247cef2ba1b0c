"""Markdown, as files have it."""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from fieldtune.corpus.unicode import repair
from stages.ingest.formats import Content, Fields, html
from stages.ingest.formats.front_matter import split_front_matter
from stages.ingest.formats.text import text_of
from stages.ingest.formats.writing import raised
from stages.ingest.sections import MARK, Section, heading_mark, marked_sections

# Those of a few bytes, such as examples in a text about them, stay.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[\w+/=%-]{64,}")
# What is inside blocks is read for headings alone: that is most of the time.
_BLOCKS = MarkdownIt("commonmark").disable("inline")
_WORDS = MarkdownIt("commonmark")
_SPOKEN = ("text", "code_inline", "image")  # inline tokens whose content a reader sees
# An id or class that a heading carries, as Pandoc, kramdown, Docusaurus and React's documentation write it.
_ATTRIBUTE = r"(?:[#.][\w:.-]+|[\w-]+=(?:\"[^\"]*\"|[^\s\"{}]+))"
_ATTRIBUTES = re.compile(
    rf"\s*(?:\{{/\*\s*(\S+)\s*\*/\}}|\{{:?\s*({_ATTRIBUTE}(?:\s+{_ATTRIBUTE})*)\s*\}}|\{{-\}})\s*$"
)
_ID = re.compile(r"#([\w:.-]+)")
_SHORTCODE = re.compile(r"\s*\{\{[<%].*?[%>]\}\}")
# HTML that Markdown files hold. Other names in angle brackets are components, or a text's own.
_TAG_NAMES = (
    "a|abbr|b|big|blockquote|br|center|cite|code|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i|img"
    "|ins|kbd|li|mark|ol|p|picture|pre|s|samp|section|small|source|span|strong|sub|summary|sup|table|tbody|td|tfoot|th"
    "|thead|tr|tt|u|ul|var|video"
)
_HTML = re.compile(rf"<!--|</?(?:{_TAG_NAMES})\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_INLINE_HTML = re.compile(  # code spans come first: what they hold is not HTML
    rf"(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))|<!--.*?-->"
    rf"|<su(?P<su>[pb])>(?P<raised>[^<>\n]*)</su[pb]>"
    rf"|<img\b[^<>]*?\balt=(?P<q>[\"'])(?P<alt>[^<>]*?)(?P=q)[^<>]*>|(?P<br><br\s*/?>)|</?(?:{_TAG_NAMES})\b[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_MDX_LINES = re.compile(
    r"^(?:import\s.+\sfrom\s+['\"].*|import\s+['\"].*|export\s+(?:const|default|let|function)\b.*)$"
)
_COMPONENT = re.compile(r"^[ \t]*</?[A-Z][\w.]*(?:\s[^<>]*)?/?>[ \t]*$", re.MULTILINE)


class _Edit(NamedTuple):
    """Lines of a text, and what takes their place."""

    start: int
    end: int  # the line after them
    text: str | None  # None: the lines are not text


def read(path: Path, source: str, _: Fields) -> Content:
    return sections(path, source, text_of(path)), {}


def read_mdx(path: Path, source: str, _: Fields) -> Content:
    """Read Markdown with components of React: their words stay, their tags and imports do not."""
    lines = text_of(path).split("\n")
    fenced_lines = {line for token in _BLOCKS.parse("\n".join(lines)) if token.type == "fence" and token.map
                    for line in range(*token.map)}  # fmt: skip
    kept = [
        line if number in fenced_lines else _COMPONENT.sub("", line)
        for number, line in enumerate(lines)
        if number in fenced_lines or not _MDX_LINES.match(line)
    ]
    return sections(path, source, "\n".join(kept)), {}


def sections(path: Path, source: str, text: str) -> list[Section]:
    """The sections of repaired Markdown, without the pictures that are written into it."""
    return markdown_sections(source, _DATA_URI.sub("", text), repair(path.stem))


def markdown_sections(source: str, text: str, name: str) -> list[Section]:
    """Cut Markdown at its headings: CommonMark's (not those in code), and those of HTML between its blocks.

    The text stays as it is, except for HTML: its comments and tags go, its tables become Markdown's. The document's
    title is that of `outlined`; if the headings give none, it is the `title` of the front matter, which is not text,
    otherwise `name`, the file's name.
    """
    # Lines as CommonMark counts them; splitlines() would also break at U+2028 and the like.
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace(MARK, "")
    title, text = split_front_matter(text)
    lines = text.split("\n")
    kept: list[str] = []
    line = 0
    for edit in _edits(text, lines):
        kept += lines[line : edit.start]
        kept += [] if edit.text is None else [edit.text]
        line = edit.end
    return marked_sections(source, name, title, "\n".join([*kept, *lines[line:]]))


def _edits(text: str, lines: Sequence[str]) -> Iterator[_Edit]:
    """Headings that have words, marked (except those inside lists and quotations), and HTML."""
    links: dict[str, Any] = {}  # those that the text defines, by their names
    has_html = _HTML.search(text) is not None
    tokens = _BLOCKS.parse(text, links)
    end = 0
    for token, inline in itertools.pairwise([*tokens, *tokens[-1:]]):
        if token.map is None or token.map[0] < end:
            continue
        edit = None
        if token.type == "heading_open" and token.level == 0:
            edit = _heading(token, inline.content, links)
        elif has_html and token.type == "html_block" and token.level == 0:
            edit = _html_block(token, lines)
        elif has_html and token.type == "inline":
            old = "\n".join(lines[slice(*token.map)])
            edit = _Edit(token.map[0], token.map[1], new) if (new := _INLINE_HTML.sub(_inline, old)) != old else None
        if edit:
            yield edit
            end = edit.end


def _heading(token: Any, content: str, links: dict[str, Any]) -> _Edit | None:
    content = _SHORTCODE.sub("", content)
    anchor = ""
    if match := _ATTRIBUTES.search(content):
        content = content[: match.start()]
        given = _ID.search(match[2] or "")
        anchor = match[1] or (given[1] if given else "")
    children = _WORDS.parseInline(content, links)[0].children or []
    spoken = (c.content if c.type in _SPOKEN else " " * c.type.endswith("break") for c in children)
    words = " ".join("".join(spoken).split())
    return _Edit(token.map[0], token.map[1], heading_mark(int(token.tag[1]), words, anchor)) if words else None


def _html_block(token: Any, lines: Sequence[str]) -> _Edit | None:
    """HTML between blocks, as Markdown; what it holds besides known tags and comments stays as it is."""
    block = "\n".join(lines[slice(*token.map)])
    rest = _COMMENT.sub("", block)
    if rest != block and not rest.strip():
        return _Edit(token.map[0], token.map[1], None)
    if not _HTML.match(rest.lstrip()):
        return None
    return _Edit(token.map[0], token.map[1], html.marked(html.parsed(rest)).strip() or None)


def _inline(match: re.Match[str]) -> str:
    if match["code"]:
        return match[0]
    if match["su"]:
        return raised(match.string[: match.start()], match["raised"]) if match["su"] in "pP" else match["raised"]
    return match["alt"] or (" " if match["br"] else "")
