"""The model card: only numbers and names; queries and passages only if it is given examples."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fieldtune.models.base_models import ModelConfig
from fieldtune.models.drift import UNCHANGED
from fieldtune.retrieval.formatting import beginning, count, percent
from fieldtune.retrieval.judged_queries import TEST_SETS, TITLES
from fieldtune.retrieval.systems import IN_MODEL_CARD, IN_MODEL_CARD_OF_BASE, UNTUNED

_TAGS = ["sentence-transformers", "sentence-similarity", "feature-extraction", "retrieval", "fieldtune"]
_LETTERS = 160  # of a query, a title or a text that are shown
# What the Hub accepts as `license:`; any other name goes into `license_name:`.
_HUB_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc
cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1
agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++
osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr llama2 gemma unknown other
"""


@dataclass(frozen=True)
class Example:
    """A test query, and the passage that the model ranks first for it."""

    query: str
    title: str
    text: str
    answers: bool  # whether it is one of the query's answers


@dataclass(frozen=True)
class Interface:
    """The model's own prompts, limit and dimension; a pinned model's may differ from the base model's."""

    prompts: Mapping[str, str | None]  # by `query` and `document`
    max_tokens: int | None
    dimension: int
    is_base: bool  # the base model is what is exported


def render_card(
    base: ModelConfig,
    metrics: Mapping[str, Any],
    dataset: Mapping[str, Any],
    history: Mapping[str, Any],
    *,
    interface: Interface,
    confidence: float,
    examples: Sequence[Example] = (),
) -> str:
    """Render the whole README.md, with its metadata in the Hub's form.

    `metrics` is the evaluation's metrics.json, `dataset` the data set's report.json, `history` the training's
    history.json; `confidence` is that of the intervals.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["code"] = lambda text: f"`{json.dumps(text, ensure_ascii=False)}`"
    environment.filters["cell"] = _cell
    environment.filters["count"] = count
    return environment.get_template("card.md.j2").render(
        metadata=_metadata(base).to_yaml(),
        base=base,
        on_hub=_on_hub(base),
        metrics=metrics,
        sets=[name for name in TEST_SETS if name in metrics],
        titles=TITLES,
        systems=IN_MODEL_CARD_OF_BASE if interface.is_base else IN_MODEL_CARD,
        is_base=interface.is_base,
        shares={"heading": metrics["heading_share"], **metrics["hybrid_weight"]},
        untuned=UNTUNED,
        dataset=dataset,
        pinned=history.get("pinned"),
        unchanged=metrics["similarity_to_base"] > UNCHANGED,
        prompts=interface.prompts,
        max_tokens=interface.max_tokens,
        dimension=interface.dimension,
        confidence=percent(confidence),
        examples=examples,
    )


def _cell(text: str) -> str:
    """The beginning of a text, on one line, escaped for Markdown and HTML."""
    return re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", beginning(text, _LETTERS))


def _metadata(base: ModelConfig) -> ModelCardData:
    identifier = base.license.lower()
    known = identifier in _HUB_LICENSES.split()
    return ModelCardData(
        license=identifier if known else "other",
        license_name=None if known else re.sub(r"[^a-z0-9.]+", "-", identifier).strip("-") or "unnamed",
        base_model=base.name if _on_hub(base) else None,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=_TAGS,
    )


def _on_hub(base: ModelConfig) -> bool:
    """Tell if the name can be a repository on the Hub, which rejects any other as `base_model`."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", base.name, re.ASCII) is not None
