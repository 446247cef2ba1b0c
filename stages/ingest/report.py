"""Counts of what was read and cut: data/passages/report.json, and the stage's line at the terminal."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.ingest.documents import describe_skipped
from stages.ingest.formats.ocr import HINT
from stages.ingest.steps import Cut, Read

_ROWS = "rows_as_passages"
_WORDS = {
    "repeated_page_lines": "lines that repeat at the edges of pages",
    "pages_without_text": f"pages without text ({HINT})",
    "boilerplate_blocks": "blocks of boilerplate",
}


@dataclass
class Totals:
    """Sums over the files that were cut."""

    passages: int = 0
    sections: int = 0
    sections_cut: int = 0
    boilerplate: int = 0  # blocks dropped
    by_file: list[int] = field(default_factory=list)  # blocks dropped, in the order of the files
    languages: Counter[str] = field(default_factory=Counter)  # passages by language

    def add(self, cut: Cut) -> None:
        self.passages += cut.passages
        self.sections += cut.sections
        self.sections_cut += cut.sections_cut
        self.boilerplate += cut.boilerplate
        self.by_file.append(cut.boilerplate)
        self.languages.update(cut.languages)


def list_unreadable(readable: Sequence[Path], reads: Sequence[Read], folder: Path) -> list[dict[str, str]]:
    """List the files that gave no text because something is wrong with them, each with its `reason`."""
    return [
        {"source": path.relative_to(folder).as_posix(), "reason": read.problem}
        for path, read in zip(readable, reads, strict=True)
        if read.problem
    ]


def list_counts(sources: Sequence[str], reads: Sequence[Read], cuts: Sequence[int]) -> dict[str, dict[str, int]]:
    """The counts of each file that has any: what was left out of it, and its rows that are passages.

    `cuts`: the blocks of boilerplate dropped from each file.
    """
    counts = {
        source: {**read.counts, **({"boilerplate_blocks": dropped} if dropped else {})}
        for source, read, dropped in zip(sources, reads, cuts, strict=True)
    }
    return {source: count for source, count in counts.items() if count}


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
    reads: Sequence[Read],
    unreadable: list[dict[str, str]],
    skipped: Mapping[str, int],
    totals: Totals,
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Make report.json of what reading and cutting gave; `skipped` has counts of the files that are not read, `counts`
    those of what was left out, by file.
    """
    left_out: Counter[str] = Counter()
    for read in reads:
        left_out.update({name: count for name, count in read.counts.items() if name != _ROWS})
    languages = sorted(totals.languages.items(), key=lambda count: (-count[1], count[0]))
    return {
        "documents": len(reads),
        "unreadable": unreadable,
        "empty": sum(read.empty for read in reads),
        "skipped": dict(skipped),
        "sections": totals.sections,
        "passages": totals.passages,
        "sections_cut": totals.sections_cut,
        "boilerplate_blocks": totals.boilerplate,
        "left_out": dict(sorted(left_out.items())),
        "by_file": {source: dict(of_file) for source, of_file in counts.items()},
        "languages": {code or "unknown": count for code, count in languages},
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
