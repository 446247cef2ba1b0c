"""reStructuredText, as docutils reads it, with what Sphinx and others add to it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.ingest.formats import Content, Fields, html
from stages.ingest.formats.text import text_of

# Names of roles and directives that docutils does not know, and whose texts it would drop: Sphinx's, and any others.
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:.+-]+?)[ \t]*::(?:[ \t]|$)", re.MULTILINE)
_ROLE = re.compile(r":([\w:.+-]+):`|`:([\w:.+-]+):")
_CODE = {"code", "code-block", "sourcecode", "prompt", "ipython", "doctest", "testcode", "testoutput", "math"}
_SILENT = {"toctree", "index", "highlight", "currentmodule", "literalinclude", "tabularcolumns"}
_CONDITIONS = {"only", "ifconfig"}  # their argument is not text
# Words before the argument.
_INTRODUCTIONS = {"versionadded": "Added in", "versionchanged": "Changed in", "deprecated": "Deprecated since"}
_FILE_FIELDS = re.compile(r"\A(\s*:(orphan|tocdepth|nosearch|nocomments):.*\n)+")  # Sphinx's, before the title
_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 3,  # errors, which hold the text that docutils gave up on
    "halt_level": 5,
    "warning_stream": False,
    "stylesheet_path": None,
    "math_output": "LaTeX",
    "line_length_limit": 10_000_000,  # docutils' own would lose the file
}


def read(path: Path, source: str, _: Fields) -> Content:
    from docutils.core import publish_parts  # type: ignore[import-untyped]

    text = _FILE_FIELDS.sub("", text_of(path))
    with _unknown_kept(text):
        soup = html.parsed(publish_parts(text, writer="html5", settings_overrides=_SETTINGS)["html_body"])
    for error in soup.select(".system-message"):
        error.replace_with(*error.find_all("pre"))
    return html.sections(path, source, "", html.marked(soup)), {}


@contextmanager
def _unknown_kept(text: str) -> Iterator[None]:
    """Teach docutils the roles and directives of `text` that it does not know, as ones that keep their text.

    It forgets them, and those that the text itself defines, at the end: they would change how other files are read.
    """
    from docutils.parsers.rst import directives, roles  # type: ignore[import-untyped]
    from docutils.parsers.rst.languages import en  # type: ignore[import-untyped]
    from docutils.utils import new_document  # type: ignore[import-untyped]

    known = [(registry, dict(registry)) for registry in (directives._directives, roles._roles)]
    document = new_document("", None)
    document.reporter.report_level = 5
    directive = _directive()
    for name in set(_DIRECTIVE.findall(text)):
        # docutils' own for code stop at options that it does not know.
        if name.lower() in _CODE or directives.directive(name, en, document)[0] is None:
            directives.register_directive(name.lower(), directive)
    for name in {first or second for first, second in _ROLE.findall(text)}:
        if roles.role(name, en, 0, document.reporter)[0] is None:
            roles.register_local_role(name, _role)
    try:
        yield
    finally:
        for registry, names in known:
            registry.clear()
            registry.update(names)


def _directive() -> type:
    """The class of a directive that keeps its text, whatever its options."""
    from docutils import nodes  # type: ignore[import-untyped]
    from docutils.parsers.rst import Directive, directives

    any_option = defaultdict(lambda: directives.unchanged, name=directives.unchanged)  # an empty one would allow none

    class Kept(Directive):  # type: ignore[misc]
        optional_arguments = 1
        final_argument_whitespace = True
        has_content = True
        option_spec = any_option

        def run(self) -> list[Any]:
            name = self.name.rpartition(":")[2].lower()
            content = "\n".join(self.content)
            if name in _CODE:  # its argument is the language's name
                return [nodes.literal_block(content, content)] if content else []
            if name in _SILENT:
                return []
            box = nodes.container()
            if self.arguments and name not in _CONDITIONS:
                box += nodes.paragraph("", f"{_INTRODUCTIONS.get(name, '')} {self.arguments[0]}".strip())
            self.state.nested_parse(self.content, self.content_offset, box, match_titles=True)
            return [box]

    return Kept


def _role(name: str, rawtext: str, words: str, *_: Any, **__: Any) -> tuple[list[Any], list[Any]]:
    """A role that keeps its text: `Words <target>` reads as its words; `~` and `!` are marks."""
    from docutils import nodes
    from docutils.utils import unescape

    shown = re.sub(r"\s*<[^<>]*>$", "", unescape(words)) or unescape(words)
    return [nodes.inline(rawtext, shown.lstrip("~!"))], []
