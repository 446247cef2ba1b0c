"""Counts of what was read and cut: data/passages/report.json, and the stage's line at the terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stages.ingest.documents import describe_skipped
from stages.ingest.formats.ocr import HINT
from stages.ingest.steps import Cut, Read

_ROWS = "rows_as_passages"
_WORDS = {
    "repeated_page_lines": "lines that repeat at the edges of pages",
    "pages_without_text": f"pages without text ({HINT})",
    "boilerplate_blocks": "blocks of boilerplate",
    "row_spans_of_tables": "cells' spans over rows: what is below them may stand a column to the left",
}


def list_unreadable(sources: Sequence[str], reads: Sequence[Read]) -> list[dict[str, str]]:
    """List the files that gave no text because something is wrong with them, each with its `reason`."""
    return [
        {"source": source, "reason": read.problem} for source, read in zip(sources, reads, strict=True) if read.problem
    ]


def counts_lines(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """A line for each file: what was left out of it, and the rows of a table that are passages of their own."""
    for source, of_file in counts.items():
        left = [f"{count:,} {_WORDS.get(name, name.replace('_', ' '))}" for name, count in of_file.items()
                if name != _ROWS]  # fmt: skip
        parts = [f"left out: {', '.join(left)}"] if left else []
        if _ROWS in of_file:
            parts.append(f"each of its {of_file[_ROWS]:,} rows is a passage")
        yield f"{source}: {'; '.join(parts)}"


def make_report(
    sources: Sequence[str], reads: Sequence[Read], cuts: Sequence[Cut], skipped: Mapping[str, int]
) -> dict[str, Any]:
    """Make report.json of what reading and cutting gave for each file; `skipped` counts the files that are not read."""
    by_file = {
        source: {**read.counts, **({"boilerplate_blocks": cut.boilerplate} if cut.boilerplate else {})}
        for source, read, cut in zip(sources, reads, cuts, strict=True)
    }
    left_out: Counter[str] = Counter()
    languages: Counter[str] = Counter()  # passages
    for read, cut in zip(reads, cuts, strict=True):
        left_out.update({name: count for name, count in read.counts.items() if name != _ROWS})
        languages.update(cut.languages)
    return {
        "documents": len(reads),
        "unreadable": list_unreadable(sources, reads),
        "empty": sum(read.empty for read in reads),
        "skipped": dict(skipped),
        "sections": sum(cut.sections for cut in cuts),
        "passages": sum(cut.passages for cut in cuts),
        "sections_cut": sum(cut.sections_cut for cut in cuts),
        "boilerplate_blocks": sum(cut.boilerplate for cut in cuts),
        "left_out": dict(sorted(left_out.items())),
        "by_file": {source: counts for source, counts in by_file.items() if counts},
        "languages": {
            code or "unknown": count
            for code, count in sorted(languages.items(), key=lambda entry: (-entry[1], entry[0]))
        },
    }


def summary(report: Mapping[str, Any]) -> str:
    """The line of a report."""
    line = f"{report['documents']:,} documents → {report['sections']:,} sections → {report['passages']:,} passages"
    if report["unreadable"]:
        line += f"; {len(report['unreadable']):,} cannot be read"
    if report["empty"]:
        line += f"; {report['empty']:,} without text"
    if report["boilerplate_blocks"]:
        line += f"; {report['boilerplate_blocks']:,} blocks of boilerplate dropped"
    if repeated := report["left_out"].get("repeated_page_lines"):
        line += f"; {repeated:,} repeated lines of pages dropped"
    if report["skipped"]:
        line += f"; not read: {describe_skipped(report['skipped'])}"
    return line
