"""The report: one HTML file that opens with no network."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.evaluate.examples import Example
from stages.evaluate.figure import LABELS, systems_svg
from stages.evaluate.scores import AGAINST, METRICS, SYSTEMS, SetScores
from stages.evaluate.verdict import NAMES, Judgement
from stages.query_sets import TITLES

# What no page may hold, and a query may
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")
_HEADLINES = {
    "ship": "Ship it: the tuned model is better.",
    "marginal": "Marginal: the tuned model may be better; look before you ship it.",
    "keep_base": "Keep the base model.",
}


def html(
    judgement: Judgement,
    sets: Mapping[str, SetScores],
    kinds: Mapping[str, SetScores],
    wins: Sequence[Example],
    losses: Sequence[Example],
    dataset: Mapping[str, Any],
    advice: str,
    base_model: str,
) -> str:
    """The whole page. `dataset` is the data set's report.json, `advice` what the baseline stage said of the base."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["signed"] = lambda value: f"{value:+.3f}"
    environment.filters["score"] = lambda value: f"{value:.3f}"
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
        dataset=json.dumps(dataset, indent=2, ensure_ascii=False),
        guidance=dataset["guidance"],
        advice=advice,
        base_model=base_model,
    )
    return page.translate(_CONTROLS)
