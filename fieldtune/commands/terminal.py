"""Texts of documents and queries at a terminal."""


def plain(text: str) -> str:
    """A text without what would steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
