"""The terminal: progress bars for long work, and lines worth reading in the meantime."""

import os
import re
import sys
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

# Cron, containers and schedulers write in the encodings of decades ago: a mark that one lacks ends no work.
for _stream in (sys.stdout, sys.stderr):
    if hasattr(_stream, "reconfigure"):  # None if it is closed
        _stream.reconfigure(errors="replace")


class _LastingConsole(Console):
    """A console whose output may break off: what is printed then is lost, and the work goes on."""

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except SystemExit:  # the reader of a pipe is gone; rich has turned the output into nothing
            pass
        except (OSError, ValueError):  # a terminal that hung up, a full disk, a closed file
            self.quiet = True
            # Python writes out at its end what is left, and its exit code would tell of the failure.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


console = _LastingConsole(highlight=False, soft_wrap=True, emoji=False)


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
