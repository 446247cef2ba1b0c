"""Keys from a real pseudo terminal, and from lines."""

import io
import os
import pty
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from fieldtune.commands.keyboard import open_keyboard


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal, whose inner one is standard input."""
    outer, inner = pty.openpty()
    with os.fdopen(inner, closefd=False) as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield outer, inner
    os.close(outer)
    os.close(inner)


def mode(terminal: int) -> Any:
    return termios.tcgetattr(terminal)


def test_a_key_needs_no_return_and_is_not_echoed(terminal: tuple[int, int]) -> None:
    outer, inner = terminal
    before = mode(inner)
    with open_keyboard() as keyboard:
        for sent, got in ((b"y", "y"), (b"N", "n"), (b"\r", "\n"), (b"\x04", "")):
            os.write(outer, sent)
            assert keyboard.next() == got
    os.set_blocking(outer, False)
    with pytest.raises(BlockingIOError):  # nothing came back
        os.read(outer, 100)
    assert mode(inner) == before


def test_keys_of_before_are_forgotten(terminal: tuple[int, int]) -> None:
    outer, _ = terminal
    with open_keyboard() as keyboard:
        os.write(outer, b"yyy")
        keyboard.forget()
        os.write(outer, b"n")
        assert keyboard.next() == "n"


def test_the_terminal_is_as_before_after_an_interrupt(terminal: tuple[int, int]) -> None:
    _, inner = terminal
    before = mode(inner)
    with pytest.raises(KeyboardInterrupt), open_keyboard():
        assert mode(inner) != before
        raise KeyboardInterrupt
    assert mode(inner) == before


def test_of_lines_the_first_letter_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Yes\n\n n\nq"))
    with open_keyboard() as keyboard:
        keyboard.forget()
        assert [keyboard.next() for _ in range(6)] == ["y", " ", "n", "q", "", ""]
