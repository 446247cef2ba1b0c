"""`fieldtune clean`: free what `.fieldtune/` keeps to save time. Bought replies and downloads stay."""

import argparse
import fcntl
import shutil
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import state
from fieldtune.runtime.errors import UserError

ABOUT = "free disk space: delete checkpoints of unfinished trainings and the ingest cache, both of which can be remade"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted, with sizes")


def clean(dry_run: bool) -> str:
    """Delete the checkpoints of unfinished trainings and data curves, and the cache of documents that ingest has read.

    Both are remade when they are needed: an unfinished training starts over, documents are read again. Returns what
    was deleted, or would be, with sizes. Raises UserError if a stage that uses them runs, here or in an experiment.
    """
    root = state.root()
    for stage in ("ingest", "train", "curve"):
        for lock in sorted((root / "locks").glob(f"{stage}-*")):
            if process := _holder(lock):
                raise UserError(f"stage {stage} is running (process {process}): wait for it to finish, or stop it")
    # SQLite's -wal and -shm files are useless without their database.
    caches = [root / "checkpoints", root / "curve", *sorted(root.glob("ingest.sqlite*"))]
    lines = []
    for path in filter(Path.exists, caches):
        size = files.disk_size(path)
        lines.append(f"{files.human_size(size):>10}  {'would delete: ' if dry_run else 'deleted: '}{path}")
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return "\n".join(lines) or f"nothing to delete in {root}"


def _holder(lock: Path) -> str:
    """The process that holds a stage's lock; empty if there is none."""
    with lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read() or "one that has just started"
    return ""
