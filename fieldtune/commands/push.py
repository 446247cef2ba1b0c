"""`fieldtune push`: copy the export to the Hugging Face Hub, a folder, or a DVC remote."""

import argparse
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fieldtune.commands.version_control import run_dvc
from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError
from stages.export.manifest import NAME as MANIFEST
from stages.export.manifest import Entry, read_manifest

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

_PATHS = ("/", "./", "../", "~")
_DVC = "dvc:"


ABOUT = "copy the export to the Hugging Face Hub (private), to a folder, or to a DVC remote"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("target", help="owner/name on the Hub; a path that starts with /, ./, ../ or ~; dvc:<remote>")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/export"), help="default: data/export")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be copied and deleted, with sizes")
    parser.add_argument("--public", action="store_true", help="make it public on the Hub: everyone can read it")
    parser.add_argument("--vectors", action="store_true", help="on the Hub, include the corpus's ids and vectors")
    parser.add_argument("--search", action="store_true", help="on the Hub, include BM25's index: the corpus's words")


def push(target: str, folder: Path, public: bool, vectors: bool, search: bool, dry_run: bool) -> str:
    """Copy an export to `target`: `owner/name` on the Hub, a path that starts with /, ./, ../ or ~, or `dvc:<remote>`.

    The Hub gets the model where SentenceTransformer("owner/name") looks for it, and nothing of the corpus unless
    `vectors` or `search`; the others get the whole folder. Returns what was copied, or would be, with sizes, and what
    was deleted there. Raises UserError if the export is incomplete, or the target does not accept it.
    """
    listed = _whole(folder)
    if target.startswith(_DVC):
        return _to_dvc(target.removeprefix(_DVC), folder, listed, dry_run)
    if target.startswith(_PATHS):
        return _to_path(Path(target).expanduser().resolve(), folder, listed, dry_run)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", target, re.ASCII):
        raise UserError(
            f"{target} is neither owner/name on the Hub, nor a path (starting with /, ./, ../ or ~), nor dvc:<remote>"
        )
    return _to_hub(target, folder, _on_hub(listed, vectors, search), listed, public, dry_run)


def _whole(folder: Path) -> dict[str, Entry]:
    """The files listed in the export's manifest. Raises UserError if one differs from it."""
    manifest = folder / MANIFEST
    listed = read_manifest(folder)
    if listed is None:
        raise UserError(
            f"{folder} is not an export: {manifest} not found, or it lists no files: run `dvc repro export`"
        )
    for name, entry in listed.items():
        path = folder / name
        if not path.is_file() or files.sha256(path) != entry["sha256"]:
            raise UserError(f"{path} does not match {manifest}: run `dvc repro export`")
    return listed


def _to_hub(
    name: str, folder: Path, placed: Mapping[str, str], listed: Mapping[str, Entry], public: bool, dry_run: bool
) -> str:
    """Add the files in one commit that also deletes those of an earlier push that are not among them."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    manifest = {place: listed[source] for place, source in placed.items()}
    # The next push reads in it which files are not somebody else's.
    content = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
    sizes = {place: entry["bytes"] for place, entry in manifest.items()} | {MANIFEST: len(content)}
    api = HfApi()
    where = f"{api.endpoint}/{name}"
    if get_token() is None:
        if dry_run:
            kind = "public" if public else "private"
            return _summary("would go to", f"{where} ({kind}); its present files are unknown: no token", sizes)
        raise UserError("no Hub token: run `hf auth login`, or set HF_TOKEN (https://hf.co/settings/tokens)")
    doing = "asking" if dry_run else "pushing to"
    with _hub_errors(name, f"{doing} {api.endpoint}"), console.status(f"{doing} {name}"):
        if not dry_run:
            api.create_repo(name, private=not public, exist_ok=True)
        there = api.model_info(name) if not dry_run or api.repo_exists(name) else None
        where += _visibility(name, bool(there.private) if there else not public, public)
        old = sorted(_of_earlier_push(api, there) - set(sizes)) if there else []
        if dry_run:
            return _summary("would go to", where, sizes, old)
        done = api.create_commit(
            name,
            [
                *(CommitOperationAdd(place, folder / source) for place, source in placed.items()),
                CommitOperationAdd(MANIFEST, content),
                *(CommitOperationDelete(file) for file in old),
            ],
            commit_message="Export of fieldtune",
        )
    return f"{_summary('went to', where, sizes, old)}\n{done.commit_url}"


@contextmanager
def _hub_errors(name: str, doing: str) -> Iterator[None]:
    """Raise UserError for whatever the Hub or the connection to it raises; `doing` names what failed."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        raise UserError(_refusal(name, error.response.status_code, error.server_message)) from error
    except OfflineModeIsEnabled as error:
        raise UserError("HF_HUB_OFFLINE is set, which blocks the Hub: unset it") from error
    except UserError:
        raise
    except Exception as error:  # of the network or the disk, in whatever class the library has for it
        # A ValueError is about what was to be pushed, such as a name or a card that the Hub does not take.
        again = "" if isinstance(error, ValueError) else ": try again"
        raise UserError(f"{doing} failed ({type(error).__name__}: {error}){again}") from error


def _visibility(name: str, private: bool, public: bool) -> str:
    """The visibility of a repository, in words. Raises UserError if it is public and `public` is false."""
    if not private and not public:
        raise UserError(f"{name} already exists and is public: make it private on the Hub, or pass `--public`")
    kept = ", as before: change that in its settings on the Hub" if private and public else ""
    return f" ({'private' if private else 'public'}){kept}"


def _on_hub(listed: Iterable[str], vectors: bool, search: bool) -> dict[str, str]:
    """The files to push: their place on the Hub, where the model lies at the top, and in the export."""
    parts = ("model/", "onnx/", *(["vectors/"] if vectors else []), *(["search/"] if search else []))
    return {name.removeprefix("model/"): name for name in sorted(listed) if name.startswith(parts)}


def _of_earlier_push(api: "HfApi", there: "ModelInfo") -> set[str]:
    """The files in a repository that an earlier push put there, by its manifest.

    The first versions of push wrote no manifest: for those, the graphs and vectors.
    """
    names = {file.rfilename for file in there.siblings or []}
    manifest = None
    if MANIFEST in names:
        with TemporaryDirectory() as folder:
            api.hf_hub_download(there.id, MANIFEST, revision=there.sha, local_dir=folder)
            manifest = read_manifest(Path(folder))
    if manifest is None:
        return {name for name in names if name.startswith(("onnx/", "vectors/"))}
    return names & set(manifest) - {"README.md", ".gitattributes"}


# What the Hub says when it is the token's rights that are missing, and not, say, space.
_RIGHTS = re.compile(
    r"\b(rights?|permissions?|scopes?|not authorized|unauthorized|forbidden|write access)\b", re.IGNORECASE
)
# What stays as it is however often it is asked for.
_LASTING = (400, 402, 403, 404, 409, 413, 422)


def _refusal(name: str, status: int, message: str | None) -> str:
    """The Hub's own words, then what to do about it, as far as that is known."""
    words = f": {message.strip()}" if message and message.strip() else ""
    tokens = "https://hf.co/settings/tokens"
    if status == 401:
        return f"the Hub rejected the token{words}: run `hf auth login`, or set another HF_TOKEN ({tokens})"
    if status == 403 and (not words or _RIGHTS.search(words)):
        remedy = f"create one with write access to it ({tokens})"
        return f"the Hub refused{words} (403): the token may not write to {name}: {remedy}"
    again = "" if status in _LASTING else ": try again later"
    return f"the Hub refused {name}{words} ({status}){again}"


def _to_path(place: Path, folder: Path, listed: Mapping[str, Entry], dry_run: bool) -> str:
    own = folder.resolve()
    if place.is_relative_to(own) or own.is_relative_to(place):
        raise UserError(f"{place} and the export {own} overlap: choose another target")
    _check_replaceable(place)
    if not dry_run:
        with files.replace_dir(place) as temporary:
            for name in (*listed, MANIFEST):
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, temporary / name)
    return _summary("would go to" if dry_run else "went to", str(place), _sizes(folder, listed))


def _check_replaceable(place: Path) -> None:
    """Raise UserError if the place holds anything but an export."""
    if place.exists() and not place.is_dir():
        raise UserError(f"{place} exists and is not a folder: choose another target")
    listed = read_manifest(place)
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if listed is None:
            raise UserError(f"{place} exists and is not an export (it contains {name}): choose a new folder inside it")
        if name not in listed and name != MANIFEST:
            raise UserError(f"{name} in {place} is not part of that export and would be lost: move it, then push again")


def _to_dvc(remote: str, folder: Path, listed: Mapping[str, Entry], dry_run: bool) -> str:
    if folder != paths.EXPORT:
        raise UserError(f"DVC tracks only {paths.EXPORT}: push {folder} to a path or the Hub")
    from dvc.config import Config

    remotes = Config(str(Path(".dvc").resolve()))["remote"]  # `dvc remote list` breaks long lines
    if remote not in remotes:
        available = ", ".join(sorted(remotes)) or "none"
        raise UserError(
            f"DVC has no remote {remote!r} (available: {available}): dvc remote add {remote or '<name>'} <url>"
        )
    export = paths.EXPORT.as_posix()
    if json.loads(run_dvc("status", "--json", "--", export)):  # DVC would push what dvc.lock names, if it has it
        raise UserError(
            f"{export} has changed since DVC recorded it (see `dvc status {export}`): run `dvc repro export`, or "
            "`dvc commit export` to keep the change"
        )
    if not dry_run:
        run_dvc("push", "--remote", remote, "--", export)
        if lacks := json.loads(run_dvc("status", "--cloud", "--remote", remote, "--json", "--", export)):
            raise UserError(
                f"DVC remote {remote} lacks a part of {export} ({next(iter(lacks))}): run "
                "`dvc commit export`, then push again"
            )
    return _summary("would go to" if dry_run else "went to", f"DVC remote {remote}", _sizes(folder, listed))


def _sizes(folder: Path, listed: Mapping[str, Entry]) -> dict[str, int]:
    """Bytes of the whole export."""
    return {**{name: entry["bytes"] for name, entry in listed.items()}, MANIFEST: (folder / MANIFEST).stat().st_size}


def _summary(verb: str, where: str, sizes: Mapping[str, int], deleted: Iterable[str] = ()) -> str:
    lines = [f"{files.human_size(size):>10}  {name}" for name, size in sorted(sizes.items())]
    lines += [f"{'deleted':>10}  {name}" for name in deleted]
    return "\n".join([*lines, f"{files.human_size(sum(sizes.values())):>10}  {verb} {where}"])
