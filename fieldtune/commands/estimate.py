"""`fieldtune estimate`: the cost of generating queries for the passages."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fieldtune.commands import generators
from fieldtune.corpus import files
from fieldtune.corpus.providers import TRAITS
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import load

ABOUT = "estimate what the queries, and the vectors of rivals, would cost: tokens and dollars; spends nothing"
_PAID = next(name for name, traits in TRAITS.items() if traits.paid)  # estimated if the chosen one is free


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--generator", help="a file in conf/generator/ (default: the one in params.yaml)")


def estimate(generator: str | None, **values: str) -> str:
    """Estimate what queries for the passages, and vectors of rivals' APIs, would cost, without spending or a key.

    `generator` is a file in conf/generator/; None: the one in params.yaml, or `claude` if that one calls no model.
    `values` stand in for those of params.yaml.
    """
    if not paths.PASSAGES.is_file():
        raise UserError(f"{paths.PASSAGES} not found: run `dvc repro ingest`, which cuts the documents")
    if generator is not None and (why := generators.unknown(generator)):
        raise UserError(why)
    passages = list(files.read_jsonl(paths.PASSAGES))
    return "\n".join([*_queries(generator, values, passages), *_rivals(passages)])


def _queries(generator: str | None, values: Mapping[str, str], passages: Sequence[dict[str, Any]]) -> list[str]:
    """Lines on the queries."""
    from fieldtune.buying.money import USD, usd
    from stages.generate.bought import Bought
    from stages.generate.registry import PROVIDERS
    from stages.generate.selection import select_passages

    config = generators.settings(**{**values, **({"generator": generator} if generator else {})})
    if generator is None and config.generator.messages is None:
        config = generators.settings(**{**values, "generator": _PAID})
    names = config.generator.providers
    ways = [PROVIDERS[name] for name in names]
    bought = next((way.configured(config) for way in ways if issubclass(way, Bought)), None)
    if bought is None:
        return [f"{', '.join(names)}: free"]
    plan = bought.plan(select_passages(passages, config.passages))
    if not bought.traits.paid:
        return [plan.line()]
    spent = sum(bought.store.spent(bought.prompt.scope))
    budget = round(bought.config.budget_usd * USD)
    lines = [plan.line(), f"{usd(spent)} spent on this prompt so far, of {usd(budget)}"]
    if spent + (plan.batch if bought.in_batches else plan.now) > budget:
        lines.append(f"! more than the budget of {usd(budget)}: the stage would stop when the budget is spent")
    return lines


def _rivals(passages: Sequence[dict[str, Any]]) -> list[str]:
    """Lines on the rivals that are embeddings APIs; none if there are none, or the pipeline was never composed."""
    from fieldtune.buying.money import USD, usd
    from fieldtune.corpus.passages import Corpus
    from fieldtune.retrieval import judged_queries
    from stages.rivals.config import Api, RivalsConfig, read_rivals
    from stages.rivals.embeddings import EmbeddingsRival
    from stages.rivals.vectors import VectorLedger

    if not (paths.CONFIG / "rivals.yaml").is_file():
        return []
    place = Path(load("rivals", RivalsConfig).rivals)
    apis = {name: rival for name, rival in read_rivals(place).items() if isinstance(rival, Api)}
    if not apis:
        return []
    corpus = Corpus.from_passages(passages)
    known = paths.QRELS.is_file()
    queries = judged_queries.read(judged_queries.TEST_SETS, corpus).texts if known else []
    lines = []
    for name, settings in apis.items():
        rival = EmbeddingsRival(name, settings, VectorLedger(), str(place))
        plan = rival.plan({"document": corpus.texts, "query": queries})
        lines.append(plan.line() + ("" if known else "; the test queries come on top, after `dvc repro dataset`"))
        spent, budget = sum(rival.ledger.spent(rival.scope)), round(settings.budget_usd * USD)
        if spent + plan.cost > budget:
            lines.append(
                f"! with {usd(spent)} spent so far, more than its budget of {usd(budget)}: the stage would stop when "
                "the budget is spent"
            )
    return lines
