"""The run of a stage: under a lock, with one summary line or one clear error at its end."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from rich.markup import escape

from fieldtune.runtime import state
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

LAUNCHED = "FIELDTUNE_LAUNCHED"  # set for a stage's processes: the one that started them holds the lock
_FULL = 1 << 20  # bytes; with fewer free the disk is full, whatever a library says of its failed write
_WAIT_FOR_ORPHAN = 10.0  # seconds; an orphan notices within one second that its parent is gone


@contextmanager
def _locked(stage: str) -> Iterator[None]:
    """Hold the stage's lock for this working directory; a temporary experiment has its own directory."""
    place = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12]
    folder = state.root() / "locks"
    folder.mkdir(exist_ok=True)
    path = folder / f"{stage}-{place}"
    with path.open("a+") as file:
        _wait_for(file, stage)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def _wait_for(file: IO[str], stage: str) -> None:
    deadline = time.monotonic() + _WAIT_FOR_ORPHAN
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.seek(0)
                raise UserError(
                    f"another {stage} stage is running here (process {file.read()}): wait for it to finish, or stop it"
                ) from None
            time.sleep(0.2)


def run_stage(stage: str, work: Callable[[], str]) -> None:
    """Run one stage and exit: with 0 and `work`'s summary line, or with 1 and one message that says what to do.

    `work` returns the summary without the stage's name.
    """
    started = time.monotonic()
    first = os.environ.get("RANK", "0") == "0"  # of the processes that run the stage together, if there are several
    console.quiet = not first
    try:
        with _locked(stage) if first and LAUNCHED not in os.environ else nullcontext():
            summary = work()
    except UserError as error:
        _fail(stage, str(error))
    except KeyboardInterrupt:
        _fail(stage, "interrupted: run `dvc repro` again to continue")
    except FileNotFoundError as error:
        name = error.filename or str(error).rpartition(": ")[2]  # pyarrow and safetensors leave `filename` empty
        _fail(stage, f"{name} not found: run `dvc repro {stage}`, which makes the files that the stage reads")
    except Exception as error:
        places = {Path.cwd(), Path(tempfile.gettempdir()), (Path.cwd() / ".dvc").resolve()}
        full = [place for place in places if place.exists() and shutil.disk_usage(place).free < _FULL]
        if full:
            where = ", ".join(sorted(map(str, full)))
            _fail(stage, f"no space left on the disk of {where}: free some, then run `dvc repro` again")
        if not isinstance(error, OSError) or (error.filename is None and error.errno is None):
            raise
        _fail(stage, f"{error.strerror}: {error.filename or 'while writing'}")
    seconds = time.monotonic() - started
    console.print(f"[bold green]✓[/] [bold]{stage}[/]  {escape(summary)}  [dim]({_duration(seconds)})[/]")


def _fail(stage: str, message: str) -> None:
    console.quiet = False  # in whichever process it happens
    console.print(f"[bold red]✗[/] [bold]{stage}[/]  {escape(message)}")
    sys.exit(1)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
