"""Answers by single key presses at a terminal, or by lines if the input is not a terminal."""

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_END = "\x04"  # control-D


class Keyboard:
    """The keys that a person presses; the first letter of each line if the input is lines."""

    def __init__(self, terminal: int | None) -> None:
        """`terminal`: its file descriptor, in cbreak mode; None: lines are read from standard input."""
        self._terminal = terminal

    def forget(self) -> None:
        """Discard keys pressed so far: they do not answer what is shown next. Lines stay."""
        if self._terminal is not None:
            termios.tcflush(self._terminal, termios.TCIFLUSH)

    def next(self) -> str:
        """Wait for a key, returned in lower case; "" if the input ends."""
        if self._terminal is None:
            line = sys.stdin.readline()
            return (line.strip()[:1] or " ").lower() if line else ""
        key = os.read(self._terminal, 1).decode(errors="replace").lower()
        return "" if key == _END else key


@contextmanager
def open_keyboard() -> Iterator[Keyboard]:
    """Read keys without the return key and without echo until the block ends, however it ends."""
    if not sys.stdin.isatty():
        yield Keyboard(None)
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield Keyboard(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
