"""Reading and writing files, so that a file is complete or absent."""

import hashlib
import json
import os
import shutil
import weakref
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast, overload

from fieldtune.runtime.errors import UserError

# Bytes: with fewer free the disk is full, whatever a library says of its failed write, if it says anything.
FULL = 1 << 20


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _refuse_full(folder: Path, error: Exception) -> None:
    """Raise UserError if a disk is full; called before what is half-written goes, and the disk has room again."""
    if not isinstance(error, UserError) and shutil.disk_usage(folder).free < FULL:
        raise UserError(f"no space left on the disk of {folder}: free some, then run `dvc repro` again") from error


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; rename it to `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    except Exception as error:
        _refuse_full(path.parent, error)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_dir(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; rename it to `path` when the block ends without an error.

    An existing folder is first renamed aside, and deleted once the new one is in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    aside = _temporary(path.with_name(f"{path.name}.old"))
    _settle(path, temporary, aside)  # left by a killed run
    temporary.mkdir()
    try:
        yield temporary
        if path.is_dir() and not path.is_symlink():
            path.rename(aside)
        temporary.rename(path)
    except Exception as error:
        _refuse_full(path.parent, error)
        raise
    finally:
        _settle(path, temporary, aside)


def _settle(path: Path, temporary: Path, aside: Path) -> None:
    """Put a folder that is aside back if no new one took its place; delete it if one did."""
    shutil.rmtree(temporary, ignore_errors=True)
    if aside.exists():
        # Under the temporary name first: whatever is aside is always complete.
        aside.rename(temporary if path.exists() else path)
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    # Not splitlines(): JSON leaves U+2028 and U+0085 unescaped inside strings.
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def invalid_yaml(file: Path, error: Exception) -> UserError:
    """The error for a file of which PyYAML, whose `error` it is, cannot make sense."""
    mark = getattr(error, "problem_mark", None)
    where = f", line {mark.line + 1}" if mark else ""
    return UserError(f"{file}{where}: not valid YAML: {getattr(error, 'problem', None) or error}")


def read_mapping(file: Path, what: str = "keys to values") -> dict[str, Any]:
    """A YAML file as plain keys and values, `${…}` not resolved; OmegaConf reads it, since `5e-05` is not a number to
    PyYAML.

    `what` the file maps stands in the message. Raises UserError for a file that is not found, not UTF-8 text, not YAML
    or not a mapping, and OmegaConf's own errors.
    """
    import yaml
    from omegaconf import DictConfig, OmegaConf

    try:
        loaded = OmegaConf.load(file)
    except FileNotFoundError as error:
        raise UserError(f"{file} not found") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except yaml.YAMLError as error:
        raise invalid_yaml(file, error) from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{file} must be a mapping of {what}")
    return cast(dict[str, Any], OmegaConf.to_container(loaded, resolve=False))


class JsonLines(Sequence[dict[str, Any]]):
    """The rows of a JSONL file, each read when it is used, so that 8 bytes per row are held."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._starts = array("q")
        end = 0
        with open(self._file, "rb", closefd=False) as lines:
            for line in lines:
                if line.strip():
                    self._starts.append(end)
                end += len(line)
        self._starts.append(end)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        rows = range(len(self))[place]
        return self._read(rows) if isinstance(rows, int) else [self._read(row) for row in rows]

    def _read(self, row: int) -> dict[str, Any]:
        start, end = self._starts[row], self._starts[row + 1]
        read: dict[str, Any] = json.loads(os.pread(self._file, end - start, start))
        return read


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read JSONL that people wrote: each object with the number of its line; blank lines are skipped.

    Raises UserError that names the file, and the line that is not a JSON object.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise UserError(f"{path}, line {number} is not valid JSON: {error.msg}") from error
                except ValueError as error:
                    raise UserError(f"{path}, line {number} has a number with too many digits") from error
                except RecursionError as error:
                    raise UserError(f"{path}, line {number} is nested too deeply") from error
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number} must be a JSON object: {{…}}")
                yield number, row
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason}): convert it to UTF-8") from error


def write_table(path: Path, columns: Mapping[str, list[Any]]) -> None:
    """Write named columns of equal length to one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with replace_file(path) as temporary:
        pq.write_table(pa.table(dict(columns)), temporary)


def read_table(path: Path) -> dict[str, list[Any]]:
    """Read a Parquet file into named columns."""
    import pyarrow.parquet as pq

    table: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return table


def is_blank(file: Path) -> bool:
    """Tell if a file holds only white space, as data/none.jsonl does, which stands for none."""
    with file.open("rb") as lines:
        return not any(line.strip() for line in lines)


def disk_size(*paths: Path) -> int:
    """The size in bytes of these files, and of all files below these folders."""
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in files if file.is_file())


def human_size(size: float) -> str:
    """A size in three digits and the unit that suits it."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def sha256(path: Path) -> str:
    """The hex digest of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(*paths: Path) -> str:
    """A digest of the contents of files, 16 hex digits."""
    return hashlib.sha256(b"".join(bytes.fromhex(sha256(path)) for path in paths)).hexdigest()[:16]
