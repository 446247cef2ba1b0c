"""The terminal: progress bars for long work, and lines worth reading in the meantime."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Characters that would steer a terminal or reverse its text: control characters except tab and line feed, Unicode's
# line ends and directions, lone surrogates. The zero-width joiners stay: Persian and Hindi words are spelled with them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

console = Console(highlight=False, soft_wrap=True, emoji=False)


class Bar:
    """A progress bar's only task."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def advance(self, steps: float = 1) -> None:
        self._progress.advance(self._task, steps)

    def expect(self, total: float) -> None:
        """Change the total number of steps."""
        self._progress.update(self._task, total=total)

    def note(self, text: str) -> None:
        """Show `text` behind the bar."""
        self._progress.update(self._task, note=text)


@contextmanager
def progress(label: str, total: float) -> Iterator[Bar]:
    """Show a bar for `total` steps with the time elapsed and the time left; it disappears at the end."""
    with Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        yield Bar(bars, bars.add_task(label, total=total, note=""))


def note(text: str) -> None:
    """Print one line worth reading while a stage runs."""
    console.print(f"  {text}", markup=False)


def printable(text: str) -> str:
    """A text of a document or a query, without characters that would steer the terminal."""
    return _CONTROLS.sub("", text)
