"""Files of situations that people reported against document tools: what was read right stays so."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.ingest import readers
from stages.ingest.formats import Fields, UnreadableError

HERE = Path(__file__).parent
PINNED: dict[str, dict[str, Any]] = json.loads((HERE / "pinned.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PINNED)
def test_what_was_read_right_is_read_as_before(name: str) -> None:
    expected = PINNED[name]
    try:
        sections, counts = readers.read(HERE / "inputs" / name, name, Fields("id", "title", "text"))
    except UnreadableError as error:
        assert {"unreadable": str(error)} == expected
        return
    found = [{"section": one.section, "title": one.title, "text": one.text} for one in sections]
    assert found == expected["sections"]
    assert counts == expected.get("counts", {})
