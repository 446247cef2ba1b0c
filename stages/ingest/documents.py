"""The files of the documents folder: those that are read, and counts of the others."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fieldtune.corpus import beir
from fieldtune.runtime.errors import UserError


@dataclass(frozen=True)
class Documents:
    readable: list[Path]  # sorted by their path
    skipped: dict[str, int]  # files that are not read, by why: `hidden`, `excluded`, or a suffix that no reader knows


def list_documents(folder: Path, include: Sequence[str], exclude: Sequence[str], suffixes: Iterable[str]) -> Documents:
    """List the files below `folder` that match `include` and not `exclude`, and have one of the (lower-case) suffixes.

    Of a BEIR folder the corpus alone is documents. Raises UserError where there is no file to read, for a glob that
    cannot match, and for a link that DVC would not follow.
    """
    if not folder.is_dir():
        raise UserError(f"documents: {folder} is not a folder; set `documents:` in params.yaml")
    if beir.is_beir(folder):
        return Documents([folder / beir.CORPUS], {})

    # DVC does not see what is behind them: a change there would rerun nothing.
    if links := [p for p in folder.rglob("*") if p.is_symlink() and not p.is_file() and not is_hidden(p, folder)]:
        raise UserError(f"documents: {min(links)} links to a folder or to nothing: put the documents themselves there")
    matching = _matching(folder, include, "include")
    excluded = _matching(folder, exclude, "exclude")
    known = set(suffixes)
    skipped: Counter[str] = Counter()
    readable = []
    for path in matching:
        if is_hidden(path, folder):
            skipped["hidden"] += 1
        elif path in excluded:
            skipped["excluded"] += 1
        elif path.suffix.lower() not in known:
            skipped[path.suffix.lower() or "no suffix"] += 1
        else:
            readable.append(path)
    if not readable:
        others = f"; not read: {describe_skipped(skipped)}" if skipped else ""
        raise UserError(
            f"documents: no file in {folder} matches {', '.join(include)} and is of a known format "
            f"({' '.join(sorted(known))}){others}"
        )
    return Documents(
        sorted(readable, key=lambda path: path.relative_to(folder).as_posix()), dict(sorted(skipped.items()))
    )


def is_hidden(path: Path, folder: Path) -> bool:
    """Tell if a file, or a folder between it and `folder`, has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


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
