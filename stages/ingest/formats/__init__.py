"""A module a format: files → sections. What their readers take and give is here.

The formats' own libraries do the reading. markitdown, which wraps them, is used where it adds to them (Word's
equations, damaged Word files). Elsewhere it takes away: it reads cells that say NA or None as empty, CSV by commas
alone, an EPUB's navigation as text, Arabic in PDFs from its wrong end, without pages, and a hundred times slower.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.ingest.sections import Section


class UnreadableError(Exception):
    """A file that gives no text; its message is the reason, without any text of the file."""


@dataclass(frozen=True)
class Fields:
    """Names of the fields of passages that are cut already. BEIR's `_id` counts as the id where that is not there."""

    id: str
    title: str
    text: str


Content = tuple[list[Section], dict[str, int]]  # the sections of a file, and counts of what was left out
Reader = Callable[[Path, str, Fields], Content]  # of a file, and its path as sections name it
