"""The report's pictures, as SVG elements for an HTML page: the same numbers give the same bytes."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fieldtune.retrieval.formatting import count, difference_ends, percent, signed
from fieldtune.retrieval.systems import SYSTEMS, label
from stages.evaluate.data_curve import DataCurve
from stages.evaluate.scores import SetScores

_INK = "#010203"  # stands for the page's text colour, which light and dark mode choose
_TUNED, _OTHERS = "#d1495b", "#2a7fb8"
_GOOD = "#2e8b57"
_WIDTH = 4.4  # inches, as a phone; the page makes it wider if there is room


def gains_svg(scores: Mapping[str, SetScores], titles: Mapping[str, str], negligible: float, meaningful: float) -> str:
    """The gain over the base on each query set, with its interval, against what is negligible and meaningful."""

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        leads = {name: of_set.lead("tuned", "base") for name, of_set in scores.items()}
        for place, lead in enumerate(leads.values()):
            if lead.known:
                panel.plot([lead.low, lead.high], [place, place], color=_TUNED, linewidth=2.5, solid_capstyle="round")
            panel.plot([lead.mean], [place], marker="o", color=_TUNED, markersize=6)
            text = signed(lead.mean) + ("" if lead.known else f" ({difference_ends(lead)})")
            panel.annotate(text, (lead.mean, place), (0, 5), textcoords="offset points", ha="center", fontsize=9)
        panel.axvline(0, color=_INK, linewidth=1)
        left, right = panel.get_xlim()
        left, right = min(left, -0.01), max(right, meaningful * 1.3)
        panel.axvspan(meaningful, right, color=_GOOD, alpha=0.12, linewidth=0)
        panel.axvspan(left, negligible, color=_INK, alpha=0.06, linewidth=0)
        panel.set_xlim(left, right)
        panel.set_yticks(range(len(leads)), [titles[name].replace(" whose", "\nwhose") for name in leads])
        panel.set_ylim(len(leads) - 0.5, -0.9)
        panel.text(meaningful, -0.86, " meaningful", va="top", fontsize=9, color=_GOOD)
        panel.set_xlabel("gain in NDCG@10", loc="right")
        _plain(panel)

    return _svg("gains", draw, 0.9 + 0.42 * len(scores))


def systems_svg(sets: Mapping[str, SetScores], titles: Mapping[str, str]) -> str:
    """Each system's NDCG@10 with its interval, one panel per query set."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
        for panel, (name, scores) in zip(panels, sets.items(), strict=True):
            systems = [*SYSTEMS, *scores.rivals]
            for place, system in enumerate(systems):
                interval = scores.intervals[system]["ndcg@10"]
                colour = _TUNED if system.startswith("tuned") else _OTHERS
                if interval.known:
                    ends = [interval.low, interval.high]
                    panel.plot(ends, [place, place], color=colour, linewidth=2, solid_capstyle="round")
                panel.plot([interval.mean], [place], marker="o", color=colour, markersize=5)
            panel.set_yticks(range(len(systems)), [label(system) for system in systems])
            panel.set_ylim(len(systems) - 0.5, -0.5)
            panel.set_title(f"{titles[name]} ({count(scores.n)})", loc="left", fontsize=9, fontweight="bold")
            panel.grid(axis="x", color=_INK, alpha=0.15)
            _plain(panel)
        panels[-1].set_xlabel("NDCG@10")

    rows = sum(len(SYSTEMS) + len(scores.rivals) for scores in sets.values())
    return _svg("systems", draw, 0.5 + 1.25 / len(SYSTEMS) * rows)


def curves_svg(loss: Sequence[tuple[float, float]], dev: Sequence[tuple[float, float]]) -> str:
    """The training's loss and its dev NDCG@10, by step."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(*zip(*loss, strict=True), color=_OTHERS, linewidth=1.5)
        above.set_title("training loss", loc="left", fontsize=9, fontweight="bold")
        above.set_ylim(bottom=0)
        below.plot(*zip(*dev, strict=True), color=_TUNED, linewidth=1.5, marker="o", markersize=5)
        below.set_title("dev NDCG@10; step 0 is the base model", loc="left", fontsize=9, fontweight="bold")
        below.set_xlabel("step")
        below.xaxis.get_major_locator().set_params(integer=True)
        for panel in (above, below):
            panel.grid(axis="y", color=_INK, alpha=0.15)
            _plain(panel)

    return _svg("curves", draw, 3.2)


def data_curve_svg(curve: DataCurve) -> str:
    """The gain over the base by the training passages, each share half of the next."""

    def draw(figure: Figure) -> None:
        panel = figure.subplots()
        places = [math.log2(point.share) for point in curve.points]
        for place, point in zip(places, curve.points, strict=True):
            if point.gain.known:
                ends = [point.gain.low, point.gain.high]
                panel.plot([place, place], ends, color=_TUNED, linewidth=2, alpha=0.5, solid_capstyle="round")
            panel.annotate(
                signed(point.gain.mean), (place, point.gain.mean), (6, -11), textcoords="offset points", fontsize=9
            )
        panel.plot(places, [point.gain.mean for point in curve.points], color=_TUNED, linewidth=1.5, marker="o")
        panel.axhline(0, color=_INK, linewidth=1)
        panel.set_xticks(places, [f"{percent(point.share)}\n{count(point.passages)}" for point in curve.points])
        panel.set_xlim(places[0] - 0.3, places[-1] + 0.6)
        panel.set_title("gain in NDCG@10", loc="left", fontsize=9, fontweight="bold")
        panel.set_xlabel("training passages")
        panel.grid(axis="y", color=_INK, alpha=0.15)
        _plain(panel)

    return _svg("data-curve", draw, 2.6)


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _svg(name: str, draw: Any, height: float) -> str:
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "fieldtune",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Ids must be unique within the page, and every picture has the same ones.
    return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
