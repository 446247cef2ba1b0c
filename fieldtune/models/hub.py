"""Base models on the model hub: which revision, its files into the hub's local cache. No heavy imports.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE and proxies apply as huggingface_hub reads them.
"""

import errno
import fcntl
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from fieldtune.corpus import files
from fieldtune.models import checks, model_folder
from fieldtune.runtime.console import Bar, progress
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load

if TYPE_CHECKING:
    from huggingface_hub.utils.tqdm import tqdm

_TIMEOUT = 20.0  # seconds for the first answer
_MB = 1_000_000  # bytes
_SPARE = 1 << 20  # bytes that stay free on the disk
_TEXTS = (".json", ".txt", ".model")  # settings and tokenizers
_WEIGHTS = re.compile(r"(model.*\.safetensors|pytorch_model.*\.bin)")
_OTHER_FORMATS = ("onnx", "openvino", "coreml", "gguf")  # folders of the same weights for other libraries


@dataclass
class HubConfig:
    """The settings in `data/config/hub.yaml`: no stage depends on them, since they change no output."""

    offline: bool = MISSING


@dataclass(frozen=True)
class HubFile:
    """A file to download."""

    name: str
    size: int  # bytes
    sha256: str | None  # of a large file
    sha1: str | None  # git's, of a small one


@dataclass(frozen=True)
class Repository:
    """A revision of a model on the hub, with the files that are needed of it."""

    name: str
    revision: str  # the commit
    files: tuple[HubFile, ...]
    license: str | None
    languages: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


def forbidden() -> str | None:
    """The setting that forbids downloads, as people set it; None if downloads are allowed."""
    return forbidden_by(load("hub", HubConfig).offline)


def forbidden_by(offline: bool) -> str | None:
    """As `forbidden`, with the value of `offline:`."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set in the environment"
    return "`offline: true` is set in params.yaml" if offline else None


def cached(name: str, revision: str | None) -> Path | None:
    """The folder of a complete download in the hub's cache; `revision` None: the newest that was downloaded."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError, HFValidationError

    folder = _cache(name)
    newest = folder / "refs/main"
    commit = revision or (newest.read_text().strip() if newest.is_file() else None)
    if commit is None:
        return None
    snapshot = folder / "snapshots" / commit
    names: list[str] = []
    with suppress(CachedRepoTreeNotFoundError, HFValidationError):  # copied by hand, or by an older library
        names = [file.path for file in get_cached_repo_tree(name, revision=commit)]
    complete = all((snapshot / needed).is_file() for needed in needed_files(names))
    return snapshot if complete and checks.holds_model(snapshot) else None


def needed_files(names: Iterable[str]) -> list[str]:
    """The files of a repository that torch needs: settings, tokenizer and weights, these once."""
    paths = [PurePosixPath(name) for name in sorted(names)]
    kept = [path for path in paths if path.parts[0] not in _OTHER_FORMATS]
    weights = [path for path in kept if _WEIGHTS.fullmatch(path.name)]
    safe = {path.parent for path in weights if path.suffix == ".safetensors"}
    weights = [path for path in weights if path.suffix == ".safetensors" or path.parent not in safe]
    return [path.as_posix() for path in kept if path.suffix in _TEXTS or path in weights]


def resolve(name: str, revision: str | None = None) -> Repository:
    """Ask the hub for a revision (a commit, branch or tag; None: the newest) of a model.

    Raises UserError if the model or the revision is not found, access is denied, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi

    with _hub_errors(name, revision):
        about = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=_TIMEOUT)
    siblings = {file.rfilename: file for file in about.siblings or []}
    needed = tuple(
        HubFile(path, file.size or 0, file.lfs.sha256 if file.lfs else None, file.blob_id)
        for path, file in ((path, siblings[path]) for path in needed_files(siblings))
    )
    if about.sha is None or not any(_WEIGHTS.fullmatch(PurePosixPath(file.name).name) for file in needed):
        raise UserError(f"{name} on the hub has no weights for torch (*.safetensors or pytorch_model.bin)")
    card = about.card_data
    terms = (card.get("license_name") or card.get("license")) if card else None
    languages = (card.get("language") or []) if card else []
    return Repository(
        name,
        about.sha,
        needed,
        str(terms) if terms else None,
        (languages,) if isinstance(languages, str) else tuple(map(str, languages)),
    )


def summary(repository: Repository) -> str:
    """Name, revision, size and licence."""
    terms = f"licence {repository.license}" if repository.license else "licence not stated"
    size = files.human_size(repository.size)
    return f"{repository.name}, revision {repository.revision[:12]}, {size}, {terms}"


def download(repository: Repository) -> Path:
    """Download a revision into the hub's cache, and return its folder.

    What an earlier attempt has downloaded is kept, also of a file; each file is compared with the hub's checksum.
    Another kind of model than an embedding model is refused before its weights are downloaded. Raises UserError, in one
    line, if anything fails.
    """
    from huggingface_hub import snapshot_download

    name, revision = repository.name, repository.revision
    small = [file for file in repository.files if file.sha256 is None]
    large = [file for file in repository.files if file.sha256 is not None]
    with _hub_errors(name, revision):
        _refuse_full(repository)
        none = _bar_class(None)
        snapshot = Path(snapshot_download(name, revision=revision, allow_patterns=_exactly(small), tqdm_class=none))
        for file in small:
            _check_small(name, snapshot, file)
        model_folder.refuse_others(snapshot)
        with progress(f"downloading {name}, in MB", repository.size / _MB) as bar:
            for file in large:
                _fetch(repository, file, bar)
        snapshot_download(name, revision=revision, allow_patterns=_exactly(repository.files), tqdm_class=none)
    return snapshot


def _cache(name: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}")


def _exactly(wanted: Iterable[HubFile]) -> list[str]:
    """Patterns of huggingface_hub for these files and no others."""
    return [re.sub(r"([*?[])", r"[\1]", file.name) for file in wanted]


def _refuse_full(repository: Repository) -> None:
    """Raise UserError if what is still missing does not fit on the cache's disk."""
    folder = _cache(repository.name) / "blobs"
    folder.mkdir(parents=True, exist_ok=True)
    held = 0
    for file in repository.files:
        parts = [folder / str(file.sha256 or file.sha1), folder / f"{file.sha256}.part"]
        held += max((part.stat().st_size for part in parts if part.is_file()), default=0)
    missing, free = repository.size - held, shutil.disk_usage(folder).free
    if missing + _SPARE > free:
        raise UserError(
            f"{repository.name} needs {files.human_size(missing)}, and the disk of {folder} has "
            f"{files.human_size(free)}: free some, or set HF_HOME to a folder on another disk"
        )


def _bar_class(bar: Bar | None) -> "type[tqdm]":
    """A class of progress bars for huggingface_hub, which advances ours instead of drawing one."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bars(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            if bar is not None:
                bar.advance((n or 0) / _MB)

    return Bars


def _fetch(repository: Repository, file: HubFile, bar: Bar) -> None:
    """Download a large file to where huggingface_hub looks for it; continue what an earlier attempt has begun.

    The library itself begins each file again. The lock keeps other processes from writing the same file.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    blob = _cache(repository.name) / "blobs" / str(file.sha256)
    part = blob.with_name(f"{blob.name}.part")
    with part.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if blob.is_file():  # another process was faster
            part.unlink(missing_ok=True)
        else:
            stream.seek(0, 2)  # another process may have added to it
            url = hf_hub_url(repository.name, file.name, revision=repository.revision)
            bar.advance(stream.tell() / _MB)
            http_get(
                url,
                stream,
                tqdm_class=_bar_class(bar),
                resume_size=stream.tell(),
                headers=build_hf_headers(),
                expected_size=file.size,
                displayed_filename=file.name,
            )
            stream.flush()
            if files.sha256(part) != file.sha256:
                part.unlink()
                raise UserError(_damaged(repository.name, file))
            part.rename(blob)


def _check_small(name: str, snapshot: Path, file: HubFile) -> None:
    """Raise UserError, and remove the file, if it is not the one of the hub."""
    from huggingface_hub.utils.sha import git_hash

    path = snapshot / file.name
    if file.sha1 and git_hash(path.read_bytes()) != file.sha1:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise UserError(_damaged(name, file))


def _damaged(name: str, file: HubFile) -> str:
    return f"{file.name} of {name} was damaged on its way (its checksum differs from the hub's): run the same again"


@contextmanager
def _hub_errors(name: str, revision: str | None) -> Iterator[None]:
    """Raise UserError, in one line, for whatever the hub, the connection to it or the disk raises."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    token = "run `hf auth login`, or set HF_TOKEN"
    try:
        yield
    except UserError:
        raise
    except GatedRepoError as error:
        raise UserError(f"{name} is gated: accept its terms at {constants.ENDPOINT}/{name}, then {token}") from error
    except RevisionNotFoundError as error:
        raise UserError(
            f"{name} has no revision {revision} on the hub: correct `revision:` in its file in conf/model/, or set it "
            "to null and run `fieldtune use --model` again"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{name} not found at {constants.ENDPOINT}: correct its name; if it is private, {token}"
        ) from error
    except OfflineModeIsEnabled as error:
        raise UserError("HF_HUB_OFFLINE is set, which blocks the hub: unset it") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        words = f": {error.server_message.strip()}" if error.server_message else ""
        denied = status in (401, 403, 404)
        remedy = f"correct its name; if it is private or gated, {token}" if denied else "try again later"
        raise UserError(f"the hub refused {name}{words} ({status}): {remedy}") from error
    except Exception as error:  # of the network or the disk, in whatever class the libraries have for it
        raise UserError(_failure(name, error)) from error


def _failure(name: str, error: Exception) -> str:
    """A line about a download that failed on this side of the hub."""
    from huggingface_hub import constants

    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return (
            f"no space left on the disk of {constants.HF_HUB_CACHE} for {name}: free some, or set HF_HOME to a folder "
            "on another disk; what is there is kept"
        )
    if isinstance(cause, OSError) and cause.filename is not None:
        return f"{cause.strerror}: {cause.filename}"
    reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    return (
        f"{name} could not be downloaded from {constants.ENDPOINT} ({reason}): check the connection, HF_ENDPOINT and "
        "proxies, and run the same again: it continues where it was"
    )
