"""The manifest is read again as it was written, and that of another program is not taken for one."""

import hashlib
from pathlib import Path

import pytest

from fieldtune.corpus import files
from stages.export.manifest import read_manifest, write_manifest


def test_every_file_is_listed_by_its_path_in_order(tmp_path: Path) -> None:
    contents = {"onnx/b.bin": "bytes", "a.json": "{}", "onnx/a.bin": ""}
    for name, content in contents.items():
        files.write_text(tmp_path / name, content)
    write_manifest(tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content.encode()).hexdigest()}
        for name, content in contents.items()
    }
    assert list(manifest) == ["a.json", "onnx/a.bin", "onnx/b.bin"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b'{"name": "An app", "icons": []}',
        b'{"a.bin": {"bytes": 1, "sha256": "0", "extra": 2}}',
    ],
)
def test_a_file_of_another_program_is_not_a_manifest(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    assert read_manifest(tmp_path) is None


def test_without_a_file_or_a_folder_there_is_no_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    (tmp_path / "file").write_text("x")
    assert read_manifest(tmp_path / "file") is None
