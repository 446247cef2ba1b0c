"""`fieldtune estimate`: the cost of generating queries for the passages."""

import argparse

from fieldtune.commands import generators
from fieldtune.corpus import files
from fieldtune.corpus.providers import TRAITS
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

ABOUT = "estimate what generating the queries would cost: passages, tokens and dollars; spends nothing"
_PAID = next(name for name, traits in TRAITS.items() if traits.paid)  # estimated if the chosen one is free


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--generator", help="a file in conf/generator/ (default: the one in params.yaml)")


def estimate(generator: str | None, **values: str) -> str:
    """Estimate what queries for the passages would cost, without spending or needing a key.

    `generator` is a file in conf/generator/; None: the one in params.yaml, or `claude` if that one calls no model.
    `values` stand in for those of params.yaml.
    """
    from fieldtune.buying.money import USD, usd
    from stages.generate.bought import Bought
    from stages.generate.registry import PROVIDERS
    from stages.generate.selection import select_passages

    if not paths.PASSAGES.is_file():
        raise UserError(f"{paths.PASSAGES} not found: run `dvc repro ingest`, which cuts the documents")
    if generator is not None and (why := generators.unknown(generator)):
        raise UserError(why)
    config = generators.settings(**values, **({"generator": generator} if generator else {}))
    if generator is None and config.generator.messages is None:
        config = generators.settings(**values, generator=_PAID)
    names = config.generator.providers
    ways = [PROVIDERS[name] for name in names]
    bought = next((way.configured(config) for way in ways if issubclass(way, Bought)), None)
    if bought is None:
        return f"{', '.join(names)}: free"
    passages = list(files.read_jsonl(paths.PASSAGES))
    plan = bought.plan(select_passages(passages, config.passages))
    if not bought.traits.paid:
        return plan.line()
    spent = sum(bought.store.spent(bought.prompt.scope))
    budget = round(bought.config.budget_usd * USD)
    lines = [plan.line(), f"{usd(spent)} spent on this prompt so far, of {usd(budget)}"]
    if spent + (plan.batch if bought.in_batches else plan.now) > budget:
        lines.append(f"! more than the budget of {usd(budget)}: the stage would stop when the budget is spent")
    return "\n".join(lines)
