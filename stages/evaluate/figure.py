"""The report's picture: each system's NDCG@10 with its interval, a panel for each query set."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from stages.evaluate.scores import SYSTEMS, SetScores

_INK = "#010203"  # stands for the page's text colour, which light and dark mode choose
_TUNED, _OTHERS = "#d1495b", "#2a7fb8"
LABELS = {
    "base": "base",
    "bm25": "BM25",
    "hybrid": "hybrid(base)",
    "tuned": "tuned",
    "tuned_hybrid": "hybrid(tuned)",
}


def systems_svg(sets: Mapping[str, SetScores], titles: Mapping[str, str]) -> str:
    """An SVG element for an HTML page; the same scores give the same bytes."""
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
        # As wide as a phone, in inches; the page makes it wider where there is room.
        figure = Figure(figsize=(4.4, 0.5 + 1.25 * len(sets)), layout="constrained")
        panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
        for panel, (name, scores) in zip(panels, sets.items(), strict=True):
            for place, system in enumerate(SYSTEMS):
                found = scores.intervals[system]["ndcg@10"]
                colour = _TUNED if system.startswith("tuned") else _OTHERS
                panel.plot([found.low, found.high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
                panel.plot([found.mean], [place], marker="o", color=colour, markersize=5)
            panel.set_yticks(range(len(SYSTEMS)), [LABELS[system] for system in SYSTEMS])
            panel.set_ylim(len(SYSTEMS) - 0.5, -0.5)
            panel.set_title(f"{titles[name]} ({scores.n:,})", loc="left", fontsize=9, fontweight="bold")
            panel.grid(axis="x", color=_INK, alpha=0.15)
            panel.spines[["top", "right", "left"]].set_visible(False)
            panel.tick_params(axis="y", length=0)
        panels[-1].set_xlabel("NDCG@10")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    return svg[svg.index("<svg") :].replace(_INK, "currentColor")
