"""The report: one HTML file that opens with no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.evaluate.asked import TITLES as PART_TITLES
from stages.evaluate.examples import Example
from stages.evaluate.figure import LABELS, systems_svg
from stages.evaluate.scores import AGAINST, METRICS, SYSTEMS, SetScores
from stages.evaluate.verdict import NAMES, Judgement
from stages.query_sets import TITLES as SET_TITLES

TITLES = SET_TITLES | PART_TITLES
# What no page may hold, and a query may
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")
_HEADLINES = {
    "ship": "Ship it: the tuned model is better.",
    "marginal": "Marginal: the tuned model may be better; look before you ship it.",
    "keep_base": "Keep the base model.",
}
_DROPPED = {
    "ambiguous": "the same words were written for passages that do not answer one another: none is the answer",
    "repeated": "repeats of another query",
    "same_as_a_real_query": "a real query has the same words: it must stay unseen",
    "round_trip": "neither the base model nor BM25 finds the passage with them: a vague query, or a wrong one",
}
_TYPED = {"generated": "generated", "real": "real, with answers", "log": "search log"}
_READ = {
    "documents": "documents read",
    "passages": "passages cut from them",
    "unreadable": "files that could not be read",
    "empty": "files without text",
    "skipped": "files skipped",
    "boilerplate_blocks": "blocks taken out that repeat over many files, such as navigation and licence texts",
}
_USES = {
    "test": "test, which this page scores",
    "dev": "dev, which choose the checkpoint",
    "train": "train, which the model learns from",
    "log": "without an answer, for comparison alone",
}
_LISTED = 10  # files, and rows of real queries, that are named on the page


@dataclass(frozen=True)
class Bar:
    """A number of a table with a bar beside it."""

    column: str
    count: int
    share: float  # of its column's sum
    width: float  # of the widest bar of the table, in percent


def html(
    judgement: Judgement,
    sets: Mapping[str, SetScores],
    kinds: Mapping[str, SetScores],
    wins: Sequence[Example],
    losses: Sequence[Example],
    dataset: Mapping[str, Any],
    advice: str,
    base_model: str,
    ingest: Mapping[str, Any] | None = None,
    real: Mapping[str, Any] | None = None,
) -> str:
    """The whole page. `dataset`, `ingest` and `real` are the report.json of the data set, of the passages and of the
    real queries; what they do not have is not shown. `advice` is what the baseline stage said of the base model.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["signed"] = lambda value: f"{value:+.3f}"
    environment.filters["score"] = lambda value: f"{value:.3f}"
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda share: "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"
    page = environment.get_template("report.html.j2").render(
        headline=_HEADLINES[judgement.verdict],
        judgement=judgement,
        recommended=NAMES[judgement.recommend],
        sets=sets,
        kinds=kinds,
        titles=TITLES,
        labels=LABELS,
        systems=SYSTEMS,
        against=AGAINST,
        metrics=METRICS,
        picture=systems_svg(sets, TITLES),
        wins=wins,
        losses=losses,
        dataset=dataset,
        advice=advice,
        base_model=base_model,
        ingest=ingest or {},
        read=_read(ingest or {}),
        real=real or {},
        bars=_bars,
        histograms=_histograms,
        dropped=_DROPPED,
        typed=_TYPED,
        uses=_USES,
        listed=_LISTED,
    )
    return page.translate(_CONTROLS)


def _read(ingest: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """What was read of the documents and what was left out: a name, what it consists of, and a number."""
    rows = []
    for key, said in _READ.items():
        match ingest.get(key):
            case None:
                continue
            case Mapping() as counts:
                parts = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
                rows.append((said, ", ".join(f"{count:,} {name}" for name, count in parts), sum(counts.values())))
            case list() as named:
                rows.append((said, "", len(named)))
            case count:
                rows.append((said, "", count))
    rows += [(name.replace("_", " "), "left out", count) for name, count in ingest.get("left_out", {}).items()]
    return rows


def _histograms(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, int]]:
    return {name: of["histogram"] for name, of in described.items()}


def _bars(columns: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[Bar]]]:
    """The rows of a table: a name with a bar of each column. Columns have the same names; empty ends are left out."""
    sums = {column: max(sum(counts.values()), 1) for column, counts in columns.items()}
    widest = max((count / sums[column] for column, counts in columns.items() for count in counts.values()), default=0)
    rows: dict[str, list[Bar]] = {}
    for column, counts in columns.items():
        for name, count in counts.items():
            share = count / sums[column]
            bar = Bar(column, count, share, round(100 * share / widest, 1) if count else 0.0)
            rows.setdefault(name, []).append(bar)
    names = list(rows)
    filled = [place for place, name in enumerate(names) if any(bar.count for bar in rows[name])]
    return [(name, rows[name]) for name in names[min(filled, default=0) : max(filled, default=-1) + 1]]
