"""Files tracked by git and DVC, and adding them to DVC: a clone, or a queued experiment, has no others."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fieldtune.commands import params
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

_PIPELINE = "dvc.yaml"  # the sample's stage, whose outputs may be used, has a file of its own


@dataclass(frozen=True)
class Out:
    """An output of a stage, or a file or folder that a .dvc file names."""

    path: Path  # absolute
    file: str  # that declares it, relative to the repository
    get: str  # the command that gets it


def outs() -> list[Out]:
    """All outputs that DVC tracks. Raises UserError if DVC cannot read its files in this repository."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            return [
                Out(
                    Path(out.fs_path),
                    out.stage.path_in_repo,
                    f"dvc {'pull' if out.stage.is_data_source else 'repro'} {out.stage.addressing}",
                )
                for out in repo.index.outs
                if out.protocol == "local"
            ]
    except Exception as error:
        params.refuse_unreadable_places(params.read()[1])
        if not isinstance(error, DvcException):
            raise
        raise UserError(f"DVC cannot read this repository: {error}") from error


def refuse_outputs(place: Path, known: Sequence[Out]) -> None:
    """Raise UserError if `place` (absolute) is, contains or lies in an output of the pipeline itself."""
    for out in known:
        if out.file == _PIPELINE and (place.is_relative_to(out.path) or out.path.is_relative_to(place)):
            raise UserError(
                f"{shown(place)} cannot be used: the pipeline writes {shown(out.path)}; choose a place of your own"
            )


def untracked(place: Path, files: Sequence[Path], known: Sequence[Out]) -> list[Path]:
    """The files at `place` that neither git nor DVC tracks; all paths are absolute."""
    listed = _git("--literal-pathspecs", "ls-files", "-z", "--", shown(place)).stdout
    tracked = {Path.cwd() / name for name in listed.split("\0") if name} | {out.path for out in known}
    return [file for file in files if file not in tracked and tracked.isdisjoint(file.parents)]


def ignored(place: Path, files: Sequence[Path]) -> list[Path]:
    """The files at `place` that .dvcignore hides from DVC; all paths are absolute."""
    from dvc.repo import Repo

    with Repo() as repo:
        if place.is_dir():
            seen = {Path(name) for name in repo.dvcignore.find(repo.fs, str(place))}
            return [file for file in files if file not in seen]
        return [file for file in files if repo.dvcignore.is_ignored(repo.fs, str(file))]


def add(places: Sequence[Path]) -> None:
    """Add places to DVC. Raises UserError with DVC's words if that fails."""
    names = [shown(place) for place in places]
    for name in names:
        if _git("check-ignore", "--quiet", "--", f"{name}.dvc", codes=(0, 1)).returncode == 0:
            raise UserError(
                f"git ignores {name}.dvc, the file that `dvc add {name}` would write: remove the rule that "
                f"`git check-ignore -v {name}.dvc` shows from .gitignore, or move {name} elsewhere"
            )
    run_dvc("add", "--", *names)


def track(places: Mapping[Path, Sequence[Path]], known: Sequence[Out]) -> list[str]:
    """`dvc add` the places whose files neither git nor DVC tracks; return what was done and what clones will lack."""
    lines, to_add = [], []
    for place, there in places.items():
        if not place.is_relative_to(Path.cwd()):
            lines.append(f"! {shown(place)} is outside the repository: a clone will not have it")
            continue
        if hidden := ignored(place, there):
            if len(hidden) == len(there):
                raise UserError(f"{shown(place)} is excluded by .dvcignore, so DVC cannot track it: change .dvcignore")
            lines.append(
                f"! .dvcignore excludes {len(hidden):,} of the files in {shown(place)}: they are read here, but DVC "
                "does not notice when they change, and a clone will not have them"
            )
        unknown = untracked(place, there, known)
        if len(unknown) == len(there):
            to_add.append(place)
        elif unknown:
            lines.append(
                f"! git tracks a part of {shown(place)}, but {len(unknown):,} of its files are in neither git nor DVC: "
                f"a clone will not have them (git add {shlex.quote(shown(place))})"
            )
    if to_add:
        add(to_add)
        lines.append(f"added to DVC: {', '.join(map(shown, to_add))}")
    return lines


def uncommitted(names: Sequence[str]) -> list[str]:
    """The files among these (relative to the repository) that exist and differ from the last commit."""
    changes = _git("--literal-pathspecs", "status", "--porcelain", "-z", "--no-renames", "--", *names).stdout
    return [change[3:] for change in changes.split("\0") if change]


def shown(place: Path) -> str:
    """A place inside the repository relative to its root, another as it is; with forward slashes."""
    root = Path.cwd()
    return (place.relative_to(root) if place.is_relative_to(root) else place).as_posix()


def missing(place: Path, known: Sequence[Out]) -> str:
    """The end of a sentence that says how to get what DVC tracks."""
    get = way_to_get(place, known)
    return f"not found, but DVC tracks it: {get}" if get else "not found"


def way_to_get(place: Path, known: Sequence[Out]) -> str | None:
    """The command that gets what DVC tracks."""
    return next((out.get for out in known if place.is_relative_to(out.path)), None)


def run_dvc(*arguments: str) -> str:
    """Run a command of DVC; return what it prints. Raises UserError with DVC's words if it fails."""
    with console.status(f"dvc {' '.join(arguments)}"):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _git(*arguments: str, codes: Sequence[int] = (0,)) -> "subprocess.CompletedProcess[str]":
    try:
        done = subprocess.run(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed, and this repository needs it") from error
    if done.returncode not in codes:
        raise UserError(f"`git {shlex.join(arguments)}` failed: {done.stderr.strip()}")
    return done


def check_name(name: str) -> None:
    """Raise UserError for a file name that is not UTF-8."""
    if (shown := readable(name)) != name:
        raise UserError(f"{shown}: this file name is not UTF-8, which DVC needs: rename it")


def readable(text: str) -> str:
    """The text with its bytes that are not UTF-8, which Python holds as surrogates, as escapes."""
    return os.fsencode(text).decode(errors="backslashreplace")
