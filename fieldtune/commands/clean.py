"""`fieldtune clean`: free what `.fieldtune/` keeps to save time. What was bought or downloaded stays."""

import argparse
import fcntl
import shutil
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import state
from fieldtune.runtime.errors import UserError

ABOUT = "free disk space: delete checkpoints of unfinished trainings and the cache of ingest, which are made again"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would go, with sizes")


def clean(dry_run: bool) -> str:
    """Delete what trainings and data curves that were never ended have left, and what ingest remembers of documents.

    Both are made again when they are needed: an unfinished training begins again, documents are read again. Returns
    what went, or would go, with sizes. Raises UserError if a stage that uses them runs, here or in an experiment.
    """
    root = state.root()
    for stage in ("ingest", "train", "curve"):
        for lock in sorted((root / "locks").glob(f"{stage}-*")):
            if process := _holder(lock):
                raise UserError(f"the stage {stage} is running (process {process}): wait for it or end it")
    # SQLite's -wal and -shm are of no use without their file.
    caches = [root / "checkpoints", root / "curve", *sorted(root.glob("ingest.sqlite*"))]
    lines = []
    for path in filter(Path.exists, caches):
        size = files.disk_size(path)
        lines.append(f"{files.human_size(size):>10}  {'would go: ' if dry_run else 'deleted: '}{path}")
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return "\n".join(lines) or f"nothing to delete in {root}"


def _holder(lock: Path) -> str:
    """The process that holds a stage's lock; empty if there is none."""
    with lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read() or "one that has just begun"
    return ""
