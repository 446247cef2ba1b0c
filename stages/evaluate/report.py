"""The report: one HTML file that needs no network, and its short form for pull requests."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fieldtune.corpus import files
from fieldtune.retrieval import formatting
from fieldtune.retrieval.judged_queries import TITLES as SET_TITLES
from fieldtune.retrieval.systems import UNTUNED, exports_base, in_sentence, label
from stages.evaluate.evaluation import Evaluation
from stages.evaluate.figure import curves_svg, data_curve_svg, gains_svg, systems_svg
from stages.evaluate.query_facts import TITLES as PART_TITLES
from stages.evaluate.rivals import RivalScore

_HERE = Path(__file__).parent
TITLES = SET_TITLES | PART_TITLES
# Characters that a page must not contain, but a query may
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")
_HEADLINES = {
    "ship": "Ship it: the tuned model is better.",
    "marginal": "Marginal: the tuned model may be better; look at the reasons before you ship it.",
    "keep_base": "Keep the base model.",
}
_DROPPED = {
    "ambiguous": "the same words were written for passages that do not answer one another, so no passage is the answer",
    "repeated": "repeats of another query",
    "same_as_a_real_query": "a real query has the same words, and it must stay unseen",
    "round_trip": "neither the base model nor BM25 finds the passage with these words: a vague query, or a wrong one",
}
_TYPED = {"generated": "generated", "real": "real, with answers", "log": "search log"}
_READ = {
    "documents": "documents read",
    "passages": "passages cut from them",
    "unreadable": "files that could not be read",
    "empty": "files without text",
    "skipped": "files skipped",
    "boilerplate_blocks": "blocks removed because they repeat across many files, such as navigation and licence texts",
}
_USES = {
    "test": "test: scored on this page",
    "dev": "dev: choose the checkpoint",
    "train": "train: the model learns from them",
    "log": "without an answer: only for comparison",
    "unanswered": "of these, not answered by these documents, as someone judged",
    "partly": "of these, answered partly",
}
_SHOWN = 10  # wins, and losses, until the reader asks for more
_LISTED = 10  # files, and rows of real queries, that are listed on the page


@dataclass(frozen=True)
class Bar:
    """A number in a table with a bar beside it."""

    column: str
    count: int
    share: float  # of its column's sum
    width: float  # of the widest bar of the table, in percent


def html(evaluation: Evaluation) -> str:
    """The whole page: one file that needs no network."""
    script = (_HERE / "report.js").read_text(encoding="utf-8")
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    loss, dev = _curves(evaluation.background.history)
    page = (
        _environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            **_shared(evaluation),
            script=script,
            script_hash=sha256,
            picture=gains_svg(evaluation.sets, TITLES, evaluation.negligible, evaluation.meaningful),
            systems_picture=systems_svg(
                {name: scores for name, scores in evaluation.sets.items() if name not in PART_TITLES}, TITLES
            ),
            curves=curves_svg(loss, dev) if loss and dev else None,
            data_curve=None if evaluation.curve is None else data_curve_svg(evaluation.curve),
            kinds_of_examples=sorted({example.kind for example in [*evaluation.wins, *evaluation.losses]}),
            read=_read(evaluation.background.ingest),
            exports_base=exports_base(evaluation.judgement.verdict, evaluation.judgement.of_ours),
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


def markdown(evaluation: Evaluation) -> str:
    """The report for a pull request: the verdict and the numbers, without any text of a document or a query."""
    page = _environment(autoescape=False).get_template("report.md.j2").render(**_shared(evaluation))
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
    environment.filters |= {
        "signed": formatting.signed,
        "score": formatting.score,
        "reach": formatting.difference_ends,
        "span": formatting.score_ends,
        "number": formatting.count,
        "percent": formatting.share,
        "digits": formatting.percent,
        "size": files.human_size,
        "capital": formatting.capitalized,
        "label": label,
        "queries_cost": _queries_cost,
        "passages_cost": _passages_cost,
    }
    return environment


def _queries_cost(row: RivalScore) -> str:
    cost = row.cost
    if cost.dollars_per_1000_queries is not None:
        return f"${cost.dollars_per_1000_queries:.4f}"
    return "unknown" if cost.seconds_per_1000_queries is None else f"{cost.seconds_per_1000_queries:,.1f} s"


def _passages_cost(row: RivalScore) -> str:
    cost = row.cost
    if cost.bytes_per_million_passages is None:
        return "unknown"
    dollars = cost.dollars_per_million_passages
    bought = f"${dollars:,.2f} and " if dollars is not None else ""
    return f"{bought}{files.human_size(cost.bytes_per_million_passages)}"


def _shared(evaluation: Evaluation) -> dict[str, Any]:
    """The variables of both templates."""
    return {
        "evaluation": evaluation,
        "background": evaluation.background,
        "headline": _HEADLINES[evaluation.judgement.verdict],
        "recommended": in_sentence(evaluation.judgement.recommend),
        "titles": TITLES,
        "systems": list(evaluation.main.means),
        "against": (*UNTUNED, *evaluation.main.rivals),
        "main": evaluation.main,
        "gain": evaluation.main.lead("tuned", "base"),
    }


def _curves(history: Mapping[str, Any]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The training's loss and dev score by step."""
    return (
        [(row["step"], row["loss"]) for row in history.get("loss", [])],
        [(row["dev_step"], row["dev_ndcg@10"]) for row in history.get("dev", [])],
    )


def _read(ingest: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Rows of the documents that were read and of what was left out: a name, its parts, and a number."""
    rows = []
    for key, name in _READ.items():
        match ingest.get(key):
            case None:
                continue
            case Mapping() as counts:
                parts = sorted(counts.items(), key=lambda part: (-part[1], part[0]))
                rows.append((name, ", ".join(f"{count:,} {part}" for part, count in parts), sum(counts.values())))
            case list() as entries:
                rows.append((name, "", len(entries)))
            case count:
                rows.append((name, "", count))
    rows += [(key.replace("_", " "), "left out", count) for key, count in ingest.get("left_out", {}).items()]
    return rows


def _histograms(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, int]]:
    return {name: description["histogram"] for name, description in described.items()}


def _bars(columns: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[Bar]]]:
    """The rows of a table: a name with a bar per column. Columns have the same names; empty ends are left out."""
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
