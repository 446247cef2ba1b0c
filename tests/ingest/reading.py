"""How the tests read a file of any format."""

from pathlib import Path

import pytest

from stages.ingest import readers
from stages.ingest.formats import Fields, UnreadableError
from stages.ingest.sections import Section


class Reading:
    """Writes a file and reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def counted(self, name: str, data: bytes | str) -> tuple[list[Section], dict[str, int]]:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return readers.read(path, f"b/{name}", Fields("id", "title", "text"))

    def __call__(self, name: str, data: bytes | str) -> list[Section]:
        sections, left_out = self.counted(name, data)
        assert left_out == {}
        return sections

    def texts(self, name: str, data: bytes | str) -> list[tuple[str, str]]:
        """Title and text of each section."""
        return [(section.title, section.text) for section in self(name, data)]

    def text(self, name: str, data: bytes | str) -> str:
        """The text of a file of one section."""
        (section,) = self(name, data)
        return section.text

    def reason(self, name: str, data: bytes | str) -> str:
        with pytest.raises(UnreadableError) as raised:
            self.counted(name, data)
        return str(raised.value)
