"""`fieldtune estimate`: what the queries of the passages would cost."""

import argparse
from typing import cast

from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

ABOUT = "what the queries would cost: passages, tokens and dollars; spends nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--generator", help="a file of conf/generator/ (default: that of params.yaml)")


def estimate(generator: str | None) -> str:
    """What the queries of the passages would cost, without spending or needing a key.

    `generator` is a file of conf/generator/; None: the one in params.yaml, or `claude` where that one is free.
    """
    from omegaconf import OmegaConf

    from stages.compose.compose import compose
    from stages.generate.bought import Bought
    from stages.generate.config import BOUGHT, GeneratorConfig
    from stages.generate.money import USD, usd
    from stages.generate.store import Store

    if not paths.PASSAGES.is_file():
        raise UserError(f"{paths.PASSAGES} is not there: run `dvc repro ingest`, which cuts the documents")
    chosen = compose(paths.PARAMS, paths.CONF).generate.generator if generator is None else None
    if chosen is None or chosen.messages is None:
        file = paths.CONF / "generator" / f"{generator or 'claude'}.yaml"
        if not file.is_file():
            there = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
            raise UserError(f"{file} is not there; there are: {there}")
        chosen = cast(
            GeneratorConfig,
            OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(GeneratorConfig), OmegaConf.load(file))),
        )
    ways = [name for name in chosen.providers if name in BOUGHT]
    if not ways:
        return f"{', '.join(chosen.providers)}: free"
    bought = Bought(ways[0], chosen.messages, Store())
    plan = bought.plan(list(files.read_jsonl(paths.PASSAGES)))
    if bought.prompt.family == "local":
        return plan.line()
    spent = sum(bought.store.spent(bought.prompt.scope))
    budget = round(bought.config.budget_usd * USD)
    lines = [plan.line(), f"{usd(spent)} spent on this prompt so far, of {usd(budget)}"]
    if spent + (plan.batch if bought.way == "claude_batch" else plan.now) > budget:
        lines.append(f"! more than the budget of {usd(budget)}: the stage would stop there")
    return "\n".join(lines)
