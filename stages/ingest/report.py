"""Counts of what was read and cut: data/passages/report.json, and the stage's line at the terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.ingest.documents import describe_skipped
from stages.ingest.steps import Cut, Read


@dataclass
class Totals:
    """Sums over the files that were cut."""

    passages: int = 0
    sections: int = 0
    sections_cut: int = 0
    boilerplate: int = 0  # blocks dropped
    languages: Counter[str] = field(default_factory=Counter)  # passages by language

    def add(self, cut: Cut) -> None:
        self.passages += cut.passages
        self.sections += cut.sections
        self.sections_cut += cut.sections_cut
        self.boilerplate += cut.boilerplate
        self.languages.update(cut.languages)


def list_unreadable(readable: Sequence[Path], reads: Sequence[Read], folder: Path) -> list[dict[str, str]]:
    """List the files that gave no text because something is wrong with them, each with its `reason`."""
    return [
        {"source": path.relative_to(folder).as_posix(), "reason": read.problem}
        for path, read in zip(readable, reads, strict=True)
        if read.problem
    ]


def make_report(
    reads: Sequence[Read], unreadable: list[dict[str, str]], skipped: Mapping[str, int], totals: Totals
) -> dict[str, Any]:
    """Make report.json of what reading and cutting gave; `skipped` has counts of the files that are not read."""
    left_out: Counter[str] = Counter()
    for read in reads:
        left_out.update(read.counts)
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
    if report["skipped"]:
        line += f"; not read: {describe_skipped(report['skipped'])}"
    return line
