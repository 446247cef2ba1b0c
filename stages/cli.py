"""The command `fieldtune`: what a person asks once. What is repeated is a stage of dvc.yaml."""

import argparse
import sys
from collections.abc import Sequence
from typing import cast

from rich.markup import escape

from stages import files, paths
from stages.console import console
from stages.errors import UserError

_PAID = ("claude", "claude_batch", "local")


def estimate(generator: str | None) -> str:
    """What the queries of the passages would cost, without spending or needing a key.

    `generator` is a file of conf/generator/; None: the one in params.yaml, or `claude` where that one is free.
    """
    from omegaconf import OmegaConf

    from stages.compose.compose import compose
    from stages.generate.bought import Bought
    from stages.generate.config import GeneratorConfig
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
    ways = [name for name in chosen.providers if name in _PAID]
    if not ways:
        return f"{', '.join(chosen.providers)}: free"
    bought = Bought(ways[0], chosen.messages, Store())
    line = bought.plan(list(files.read_jsonl(paths.PASSAGES))).line()
    if bought.prompt.family == "local":
        return line
    spent = sum(bought.store.spent(bought.prompt.scope))
    return f"{line}\n{usd(spent)} spent on this prompt so far, of {usd(round(bought.config.budget_usd * USD))}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit 1 with one line where it cannot be done."""
    parser = argparse.ArgumentParser(prog="fieldtune", description="Tools around the pipeline that `dvc repro` runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "what the queries would cost: passages, tokens and dollars; spends nothing"
    command = commands.add_parser("estimate", help=about, description=about)
    command.add_argument("--generator", help="a file of conf/generator/ (default: that of params.yaml)")
    given = parser.parse_args(arguments)
    try:
        console.print(escape(estimate(given.generator)))
    except UserError as error:
        console.print(f"[bold red]✗[/] {escape(str(error))}")
        sys.exit(1)


if __name__ == "__main__":
    main()
