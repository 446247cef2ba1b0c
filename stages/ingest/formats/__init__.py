"""A module a format: files → sections. What their readers take and give is here.

Which library reads a format is decided by the table of `benchmarks/readers.py`: by what it loses and changes in files
that people had trouble with, weighed by the harm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.ingest.sections import Section


class UnreadableError(Exception):
    """A file that gives no text; its message is the reason, without any text of the file."""


@dataclass(frozen=True)
class Fields:
    """Names of the fields of passages that are cut already, or paths to them, such as `data[].attributes.body`.

    BEIR's `_id` counts as the id if that is missing.
    """

    id: str
    title: str
    text: str


# The sections of a file, and counts of what was left out, by what it is, such as `pages_without_text`; beside them
# `rows_as_passages` is how many rows of a table are records.
Content = tuple[list[Section], dict[str, int]]
Reader = Callable[[Path, str, Fields], Content]  # of a file, and its path as sections name it
