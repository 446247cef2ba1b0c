"""The list of what was exported."""

from pathlib import Path

from stages import files

NAME = "manifest.json"


def write_manifest(folder: Path) -> None:
    """Write manifest.json: each file's size in bytes and sha256 by its path in the folder, sorted."""
    listed = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files.write_json(
        folder / NAME,
        {name: {"bytes": listed[name].stat().st_size, "sha256": files.sha256(listed[name])} for name in sorted(listed)},
    )
