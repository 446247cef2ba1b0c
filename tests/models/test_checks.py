"""Checks of what settings name: nothing, or something that must be there."""

from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.models import checks
from fieldtune.runtime.errors import UserError


@pytest.mark.parametrize(
    ("content", "none"),
    [(b"", True), (b"\n", True), (b"\r\n", True), (b" \n\t\n", True), (b"\n\n{}\n", False), (b"x", False)],
)
def test_a_file_stands_for_nothing_where_it_holds_nothing_but_white_space(
    content: bytes, none: bool, tmp_path: Path
) -> None:
    file = tmp_path / "none.jsonl"
    file.write_bytes(content)
    assert files.is_blank(file) == none
    if none:
        assert checks.pinned_model(str(file)) is None
    else:
        with pytest.raises(UserError, match="is not a model folder"):
            checks.pinned_model(str(file))
