"""The container of Office files that are old, or encrypted."""

from pathlib import Path

from stages.ingest.formats import UnreadableError

_BEGINNING = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def refuse(path: Path) -> None:
    """Raise UnreadableError for a file that is one, which says which of the two it is."""
    with path.open("rb") as file:
        if file.read(len(_BEGINNING)) == _BEGINNING:
            encrypted = "EncryptedPackage".encode("utf-16-le") in file.read()
            raise UnreadableError("encrypted" if encrypted else "an old Office file under a new name: save it again")
