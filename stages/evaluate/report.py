"""The report: one HTML file that opens with no network, and its short form for pull requests."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fieldtune.retrieval.judged_queries import TITLES as SET_TITLES
from fieldtune.retrieval.systems import IN_SENTENCES, UNTUNED, label
from stages.evaluate.asked import TITLES as PART_TITLES
from stages.evaluate.bootstrap import Interval
from stages.evaluate.data_curve import DataCurve
from stages.evaluate.examples import Example
from stages.evaluate.figure import curves_svg, data_curve_svg, gains_svg, systems_svg
from stages.evaluate.probe import Probe
from stages.evaluate.scores import SetScores
from stages.evaluate.vectors import VectorScore
from stages.evaluate.verdict import Judgement

_HERE = Path(__file__).parent
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
_SHOWN = 10  # wins, and losses, until more are asked for
_LISTED = 10  # files, and rows of real queries, that are named on the page


@dataclass(frozen=True)
class Bar:
    """A number of a table with a bar beside it."""

    column: str
    count: int
    share: float  # of its column's sum
    width: float  # of the widest bar of the table, in percent


@dataclass(frozen=True)
class Report:
    """All that the report tells. What an optional part does not have is not shown."""

    judgement: Judgement
    main_set: str  # of `sets`, the verdict's
    sets: Mapping[str, SetScores]
    kinds: Mapping[str, SetScores]  # of generated queries
    wins: Sequence[Example]
    losses: Sequence[Example]
    base_model: str
    advice: str  # what the baseline stage said of the base model
    weights: Mapping[str, float]  # the model's shares of the hybrids
    negligible: float
    meaningful: float
    confidence: float
    dataset: Mapping[str, Any]  # the data set's report.json
    ingest: Mapping[str, Any]  # the passages' report.json
    real: Mapping[str, Any]  # the real queries' report.json
    history: Mapping[str, Any]  # the training's history.json
    cost: Mapping[str, Mapping[str, float]]  # of the queries, by model
    sizes: Mapping[str, int]  # bytes, by what they are of
    settings: str  # hash of those of the training and these scores
    vectors: Sequence[VectorScore] = ()
    probe: Probe | None = None
    reranked: SetScores | None = None
    reranker: str | None = None
    curve: DataCurve | None = None


def html(report: Report) -> str:
    """The whole page: one file, which needs no network."""
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    loss, dev = _curves(report.history)
    page = (
        _environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            **_shared(report),
            script=script,
            script_hash=sha256,
            picture=gains_svg(report.sets, TITLES, report.negligible, report.meaningful),
            systems_picture=systems_svg(
                {name: scores for name, scores in report.sets.items() if name not in PART_TITLES}, TITLES
            ),
            curves=curves_svg(loss, dev) if loss and dev else None,
            data_curve=None if report.curve is None else data_curve_svg(report.curve),
            kinds_of_examples=sorted({example.kind for example in [*report.wins, *report.losses]}),
            read=_read(report.ingest),
            bars=_bars,
            histograms=_histograms,
            dropped=_DROPPED,
            typed=_TYPED,
            uses=_USES,
            listed=_LISTED,
            shown=_SHOWN,
        )
    )
    return page.translate(_CONTROLS)


def markdown(report: Report) -> str:
    """The report for a pull request: the verdict and the numbers, no text of a document or a query."""
    page = _environment(autoescape=False).get_template("report.md.j2").render(**_shared(report))
    return page.translate(_CONTROLS)


def _environment(autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["signed"] = lambda value: f"{value:+.3f}"
    environment.filters["score"] = lambda value: f"{value:.3f}"
    environment.filters["reach"] = lambda found: _reach(found, "{:+.3f} to {:+.3f}")
    environment.filters["span"] = lambda found: _reach(found, "{:.3f}–\N{ZERO WIDTH SPACE}{:.3f}")
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda share: "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"
    environment.filters["size"] = _size
    environment.filters["label"] = label
    environment.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    return environment


def _reach(found: Interval, form: str) -> str:
    return form.format(found.low, found.high) if found.told else "too few groups"


def _shared(report: Report) -> dict[str, Any]:
    """What both templates know."""
    return {
        "report": report,
        "headline": _HEADLINES[report.judgement.verdict],
        "recommended": IN_SENTENCES[report.judgement.recommend],
        "titles": TITLES,
        "systems": list(report.sets[report.main_set].means),
        "against": UNTUNED,
        "main": report.sets[report.main_set],
        "gain": report.sets[report.main_set].lead("tuned", "base"),
    }


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _curves(history: Mapping[str, Any]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The training's loss and dev score by step."""
    return (
        [(row["step"], row["loss"]) for row in history.get("loss", [])],
        [(row["dev_step"], row["dev_ndcg@10"]) for row in history.get("dev", [])],
    )


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
