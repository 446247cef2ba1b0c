"""The list of exported files."""

import json
from pathlib import Path
from typing import TypedDict

from fieldtune.corpus import files

NAME = "manifest.json"


class Entry(TypedDict):
    """A file."""

    bytes: int
    sha256: str


def write_manifest(folder: Path) -> None:
    """Write manifest.json: each file's size in bytes and sha256 by its path in the folder, sorted."""
    listed = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files.write_json(
        folder / NAME,
        {name: {"bytes": listed[name].stat().st_size, "sha256": files.sha256(listed[name])} for name in sorted(listed)},
    )


def read_manifest(folder: Path) -> dict[str, Entry] | None:
    """Read what `write_manifest` wrote; None if there is no such file, or it is not an export's."""
    try:
        listed: dict[str, Entry] = files.read_json(folder / NAME)
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    if not isinstance(listed, dict) or not listed:  # browser extensions and web apps have such a file, too
        return None
    ours = all(isinstance(entry, dict) and entry.keys() == {"bytes", "sha256"} for entry in listed.values())
    return listed if ours else None
