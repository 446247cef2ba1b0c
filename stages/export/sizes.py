"""Sizes for the summary."""

from pathlib import Path

from fieldtune.corpus import files


def megabytes(*places: Path) -> str:
    """The size of files and folders."""
    size = sum(files.folder_size(place) if place.is_dir() else place.stat().st_size for place in places)
    return f"{size / 1e6:.0f} MB"
