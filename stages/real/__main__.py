"""Stage `real`: the user's real queries → data/real/, each with its sections. Run as `python -m stages.real`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.corpus import beir, files, tables
from fieldtune.corpus.real_queries import SPLITS
from fieldtune.corpus.style import read_style
from fieldtune.runtime import paths
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load
from fieldtune.runtime.stage import run_stage
from fieldtune.sources.places import misnamed
from stages.real.config import RealConfig
from stages.real.matching import Matched, match
from stages.real.splits import style_apart

_SHOWN = 5  # rows without a place, at the terminal


def read_rows(config: RealConfig) -> Iterator[tables.Row]:
    """The rows of the file, then those of a BEIR folder. Raises UserError if the file is not found."""
    file, folder = Path(config.queries), Path(config.documents)
    if not file.is_file():
        raise UserError(f"queries: {file} not found: set `queries:` in params.yaml (for none: {paths.NONE})")
    yield from tables.read(file)
    if beir.is_beir(folder):
        yield from beir.rows(folder)


def work() -> str:
    config = load("real", RealConfig)
    passages = list(files.read_jsonl(paths.PASSAGES))
    rows = list(read_rows(config))
    if warning := misnamed(row for _, row in rows):
        note(f"! {config.queries}: {warning}")
    matched = match(rows, passages, config.documents)
    if matched.unmatched_rows and not matched.matched_rows:
        raise UserError(_none_matched(config, matched, passages[0]))
    style = read_style(Path(config.style))
    matched.queries = style_apart(matched.queries, style.examples if style else [])
    of_splits = Counter(query.split for query in matched.queries)
    counts = {split: of_splits[split] for split in SPLITS}
    _write(paths.REAL, (query.row() for query in matched.queries))
    unanswered = set(matched.unanswered)
    mark = {"answered": False}
    _write(paths.REAL_LOG, ({"query": query, **(mark if query in unanswered else {})} for query in matched.log))
    files.write_json(
        paths.REAL_REPORT,
        {
            "queries": len(matched.queries),
            **counts,
            "log": len(matched.log),
            **_of_log(matched),
            "unmatched_rows": matched.unmatched_rows,
            "unmatched": matched.unmatched,
        },
    )
    if matched.unmatched_rows:
        note(f"{matched.unmatched_rows:,} rows name a place that is not in the documents ({paths.REAL_REPORT}):")
        for line in _unmatched_lines(matched):
            note(f"  {line}")
    if not matched.queries and not matched.log:
        return "no real queries: the verdict will rest on held-out generated ones"
    parts = ", ".join(f"{count:,} {split}" for split, count in counts.items() if count)
    log = f"; {len(matched.log):,} without an answer" if matched.log else ""
    if matched.unanswered:
        log += f", {len(matched.unanswered):,} of them not answered by these documents"
    if matched.partly:
        log += f", {matched.partly:,} of them answered partly"
    return f"{len(matched.queries):,} real queries with answers ({parts or 'none'}){log}"


def _of_log(matched: Matched) -> dict[str, int]:
    """The counts of the queries in the log that were judged, if there are any."""
    counts = {"unanswered": len(matched.unanswered), "partly": matched.partly}
    return {name: count for name, count in counts.items() if count}


def _none_matched(config: RealConfig, matched: Matched, passage: Mapping[str, Any]) -> str:
    """The error if no row that names a place finds it: the verdict would silently rest on generated queries."""
    source, remedy = config.queries, f"set `queries: {paths.NONE}`"
    if beir.is_beir(Path(config.documents)):
        source, remedy = f"{source} and the qrels of {config.documents}", f"{remedy}, and remove the qrels"
    lines = [
        f"{source}: none of the {matched.unmatched_rows:,} rows that name a place of an answer has one that is in "
        f"{config.documents}:",
        *(f"  {line}" for line in _unmatched_lines(matched)),
        f"a place is `source`, a file below {config.documents}, and optionally `section`, a heading in it, such as "
        f"`{passage['source']}` and `{passage['section']}`; or `passage`, a text from the documents; or `passage_id`",
        f"correct the rows, or `documents:` in params.yaml; to continue without real queries, {remedy}",
    ]
    return "\n".join(lines)


def _unmatched_lines(matched: Matched) -> list[str]:
    """The first rows whose place is not found, each on a line."""
    lines = []
    for row in matched.unmatched[:_SHOWN]:
        why = f": {row['reason']}" if row["reason"] else ""
        near = f"; near: {', '.join(row['candidates'])}" if row["candidates"] else ""
        # None of a passage's text is shown here.
        place = [name if name == "passage" else value for name, value in row["place"].items()]
        lines.append(f"{row['where']}: {' # '.join(place)}{why}{near}")
    return lines


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSONL, but a blank line if there is no row: DVC warns about empty files at every run."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    files.write_text(path, "\n".join(lines) + "\n")


if __name__ == "__main__":
    run_stage("real", work)
