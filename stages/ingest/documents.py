"""The files of the documents folder: those that are read, and counts of the others."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fieldtune.corpus import beir
from fieldtune.runtime.errors import UserError

_DATASET_FILES = {"dataset_info.json", "state.json", "dataset_dict.json"}  # of Hugging Face's save_to_disk


@dataclass(frozen=True)
class Documents:
    readable: list[Path]  # sorted by their path
    skipped: dict[str, int]  # files that are not read, by why: `hidden`, `excluded`, or a suffix that no reader knows
    warnings: tuple[str, ...] = ()


def list_documents(
    folder: Path,
    include: Sequence[str],
    exclude: Sequence[str],
    suffixes: Iterable[str],
    suffix_of: Callable[[Path], str] = lambda path: path.suffix.lower(),
    if_named: frozenset[str] = frozenset(),
) -> Documents:
    """List the files below `folder` that match `include` and not `exclude`, and have one of the (lower-case) suffixes.

    A file of a suffix of `if_named`, source code, is read if a pattern of `include` ends in that suffix. Of a BEIR
    folder the corpus alone is documents. Raises UserError if there is no file to read, for a glob that cannot match,
    for a name that is not UTF-8, and for a link that DVC would not follow.
    """
    if not folder.is_dir():
        raise UserError(f"documents: {folder} is not a folder; set `documents:` in params.yaml")
    corpus = beir.corpus_of(folder)
    if corpus and beir.is_beir(folder):
        return Documents([corpus], {})

    # DVC does not see what is behind them: a change there would rerun nothing.
    if links := [p for p in folder.rglob("*") if p.is_symlink() and not p.is_file() and not is_hidden(p, folder)]:
        raise UserError(f"documents: {min(links)} links to a folder or to nothing: put the documents themselves there")
    excluded = _matching(folder, exclude, "exclude")
    known = set(suffixes)
    named = if_named.intersection(Path(pattern).suffix.lower() for pattern in include)
    skipped: Counter[str] = Counter()
    readable = []
    for path in _matching(folder, include, "include"):
        reason = _reason_to_skip(path, folder)
        if not reason and path in excluded:
            reason = "excluded"
        elif not reason and suffix_of(path) not in known | named:
            reason = path.suffix.lower() or "no suffix"
        if reason:
            skipped[reason] += 1
        else:
            _check_name(path)
            readable.append(path)
    if not readable:
        others = f"; not read: {describe_skipped(skipped)}" if skipped else ""
        raise UserError(
            f"documents: no file in {folder} matches {', '.join(include)} and is of a known format "
            f"({' '.join(sorted(known))}){others}"
        )
    return Documents(
        sorted(readable, key=lambda path: path.relative_to(folder).as_posix()),
        dict(sorted(skipped.items())),
        beir.warnings_of(folder),
    )


def _reason_to_skip(path: Path, folder: Path) -> str:
    """The reason why a file is not a document, whatever its format; "" if it may be one."""
    if is_hidden(path, folder):
        return "hidden"
    if path.name in _DATASET_FILES and any(path.parent.glob("*.arrow")):
        return "files of a data set's own"
    about_queries = beir.corpus_of(folder) is not None and beir.is_about_queries(path, folder)
    return "of queries without judgements" if about_queries else ""


def _check_name(path: Path) -> None:
    """Raise UserError for a name that is not UTF-8, which DVC needs."""
    if any("\udc80" <= letter <= "\udcff" for letter in str(path)):
        name = str(path).encode("utf-8", "backslashreplace").decode()
        raise UserError(f"documents: the name of {name} is not UTF-8: rename the file")


def is_hidden(path: Path, folder: Path) -> bool:
    """Tell if a file, or a folder between it and `folder`, has a name that begins with a dot, or is an Office lock."""
    return any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)


def describe_skipped(skipped: Mapping[str, int]) -> str:
    """Counts by reason, the largest first."""
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(skipped.items(), key=lambda c: (-c[1], c[0])))


def _matching(folder: Path, patterns: Sequence[str], key: str) -> set[Path]:
    matches: set[Path] = set()
    for pattern in patterns:
        try:
            matches |= {path for path in folder.glob(_any_case(pattern)) if path.is_file()}
        except (ValueError, NotImplementedError) as error:
            raise UserError(f"ingest.{key}: {pattern!r} does not match files in a folder: {error}") from error
    return matches


def _any_case(pattern: str) -> str:
    """A glob that matches README.MD as it does readme.md."""
    return re.sub(
        r"\[[^]]*\]|[^\W\d_]", lambda m: m[0] if m[0][0] == "[" else f"[{m[0].lower()}{m[0].upper()}]", pattern
    )
