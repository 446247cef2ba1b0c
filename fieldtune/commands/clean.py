"""`fieldtune clean`: free what `.fieldtune/` keeps to save time. Bought replies and downloads stay."""

import argparse
import fcntl
import shutil
from contextlib import suppress
from pathlib import Path

from fieldtune.commands import params
from fieldtune.corpus import files
from fieldtune.models import base_models, checks, kept_vectors
from fieldtune.runtime import paths, state
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from stages.embed.config import EmbedConfig

ABOUT = "free disk space: checkpoints of unfinished trainings, the cache of ingest, vectors of models not in use"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted, with sizes")


def clean(dry_run: bool) -> str:
    """Delete the checkpoints of unfinished trainings and data curves, the cache of documents that ingest has read, and
    the vectors of models that are neither the base model, nor pinned, nor the tuned one.

    All are remade when they are needed: an unfinished training starts over, documents are read and texts encoded again.
    Returns what was deleted, or would be, and the vectors that stay, with sizes. Raises UserError if a stage that uses
    them runs, here or in an experiment.
    """
    root = state.root()
    for stage in ("ingest", "embed", "train", "curve", "evaluate", "export"):
        for lock in sorted((root / "locks").glob(f"{stage}-*")):
            if process := _holder(lock):
                raise UserError(f"stage {stage} is running (process {process}): wait for it to finish, or stop it")
    # SQLite's -wal and -shm files are useless without their database.
    caches = [root / "checkpoints", root / "curve", *sorted(root.glob("ingest.sqlite*"))]
    lines = [_line("would delete" if dry_run else "deleted", path, path) for path in filter(Path.exists, caches)]
    if not dry_run:
        for path in filter(Path.exists, caches):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    lines += _vectors(dry_run)
    return "\n".join(lines) or f"nothing to delete in {root}"


def _vectors(dry_run: bool) -> list[str]:
    """Delete the vectors of models that are not in use; a line for each model."""
    lines = []
    in_use = _models_in_use()
    for model in kept_vectors.kept():
        stays = model.file.stem in in_use
        done = "stays" if stays else "would delete" if dry_run else "deleted"
        stored = sorted(model.file.parent.glob(f"{model.file.name}*"))  # SQLite keeps files beside its own
        lines.append(_line(done, f"vectors of {model.name} ({model.file.name})", *stored))
        if not (stays or dry_run):
            kept_vectors.delete(model.file)
    return lines


def _models_in_use() -> set[str]:
    """Fingerprints of the base model, the pinned one and the tuned one, as far as they are on this machine."""
    folders = [paths.MODEL]
    if paths.PARAMS.is_file():
        folders.append(Path(str(params.read()[1].get("pin"))))
    if (paths.CONFIG / "embed.yaml").is_file():
        with suppress(UserError):  # settings of an older version
            folders += filter(None, [base_models.find(load("embed", EmbedConfig).model)])
    return {kept_vectors.fingerprint(folder) for folder in folders if checks.holds_model(folder)}


def _line(done: str, name: object, *stored: Path) -> str:
    return f"{files.human_size(files.disk_size(*stored)):>10}  {done}: {name}"


def _holder(lock: Path) -> str:
    """The process that holds a stage's lock; empty if there is none."""
    with lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read() or "one that has just started"
    return ""
