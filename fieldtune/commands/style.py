"""`fieldtune style`: a dozen queries of the search log become the style that generated queries imitate."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fieldtune.commands import params
from fieldtune.commands.estimate import estimate
from fieldtune.commands.query_rows import has_answer, one_line, query_of
from fieldtune.corpus import files, tables
from fieldtune.corpus.style import (
    FEWEST,
    Style,
    choose_examples,
    described,
    headings_of,
    is_private,
    measure,
    read_style,
    style_yaml,
)
from fieldtune.corpus.unicode import normalised
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, printable
from fieldtune.runtime.errors import UserError

ABOUT = "make a dozen queries of your users the style that generated queries imitate; asks before it writes them"
FILE = Path("style.yaml")
EXAMPLES = 12
LEAST_TEST = 100  # answered queries that must remain for the test if examples are taken from answered ones


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("table", type=Path, nargs="?", help="a table with `query` (default: the one at `queries:`)")
    parser.add_argument("--count", type=int, default=EXAMPLES, help=f"number of examples (default: {EXAMPLES})")
    parser.add_argument("--refresh", action="store_true", help="rewrite a style that already exists")
    parser.add_argument("--yes", action="store_true", help="write without asking")


def style_in_use(settings: Mapping[str, Any]) -> Path:
    """The style file that params.yaml names; none for the sample's style with other documents."""
    now = Path(str(settings.get("style") or paths.NONE))
    of_sample = now == paths.SAMPLE_STYLE and settings.get("documents") != paths.SAMPLE_DOCS.as_posix()
    return paths.NONE if of_sample else now


def style(table: Path | None, count: int, refresh: bool, yes: bool) -> str:
    """Write the style file from a table's queries, and name it in params.yaml.

    `table` has the column `query`; None: the one at `queries:` in params.yaml. Queries without an answer come first;
    answered ones are taken only if at least 100 remain for the test. The lines are shown before they are written, since
    they enter git and the prompt; `yes`: without asking. An existing style stays unless `refresh`. Returns what was
    done. Raises UserError for a table that cannot be read or has too few queries to show a style.
    """
    text, settings = params.read()
    now = style_in_use(settings)
    if now.is_file() and not files.is_blank(now) and not refresh:
        examples = read_style(now)
        assert examples is not None
        return f"{now} already has {len(examples.examples)} examples: to rewrite it, run `fieldtune style --refresh`"
    chosen = style_of_table(table or Path(str(settings.get("queries"))), count)
    if refresh and (cost := _cost(chosen)):
        console.print(cost, markup=False, highlight=False)
    target = FILE if now == paths.NONE else now
    if not confirmed(chosen, target, yes):
        return "nothing was written"
    files.write_text(target, style_yaml(chosen))
    new = params.edited(text, {"style": target.as_posix()})
    if new != text:
        files.write_text(paths.PARAMS, new)
    lines = [f"{target}: {len(chosen.examples)} examples; `style: {target}` in {paths.PARAMS}"]
    return "\n".join([*lines, f"commit it: git add {target} {paths.PARAMS} && git commit", "next: dvc repro"])


def style_of_table(table: Path, count: int = EXAMPLES) -> Style:
    """The style that a table's queries show.

    Queries without an answer come first; of answered ones only those are taken that the test can spare. Raises
    UserError if there are too few, or too few that may enter git.
    """
    queries, spare = _typed_queries(table)
    examples = choose_examples(queries, min(count, spare))
    if len(examples) < FEWEST:
        hidden = sum(map(is_private, queries))
        raise UserError(
            f"{table} has {len(examples)} queries that can be shown ({hidden:,} contain an e-mail address or a long "
            f"number); a style needs {FEWEST}"
        )
    headings = headings_of(files.read_jsonl(paths.PASSAGES)) if paths.PASSAGES.is_file() else None
    return Style(examples, measure(queries, headings))


def _typed_queries(table: Path) -> tuple[list[str], int]:
    """The queries that examples may be taken from, and how many of them may become examples."""
    if not table.is_file():
        raise UserError(f"{table} not found: give a table with the column `query`, such as a search log")
    queries: dict[bool, list[str]] = {True: [], False: []}  # by whether they have an answer
    for where, row in tables.read(table):
        queries[has_answer(row)].append(query_of(where, row))
    log, answered = distinct(queries[False]), distinct(queries[True])
    if len(log) >= FEWEST:
        return log, len(log)
    if len(answered) < LEAST_TEST + FEWEST:
        raise UserError(
            f"{table} has {len(log)} queries without an answer and {len(answered)} with one; {FEWEST} without one are "
            f"needed, or {LEAST_TEST + FEWEST} with one, since examples leave the test. Put a dozen of your users' "
            "queries into a file, one per line below the word `query`, and run `fieldtune style log.csv`"
        )
    return answered, len(answered) - LEAST_TEST


def _cost(chosen: Style) -> str:
    """The cost of queries in this style, as `fieldtune estimate` gives it; "" if no documents were read yet."""
    if not paths.PASSAGES.is_file():
        return ""
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / FILE.name
        files.write_text(file, style_yaml(chosen))
        return estimate(None, style=str(file))


def shown(chosen: Style, target: Path) -> list[str]:
    """The lines that a person sees before they are written."""
    assert chosen.population is not None
    return [
        f"These queries enter {target}, and with it git and the prompt; they leave the test:",
        *(f"  {printable(example)}" for example in chosen.examples),
        f"Of {chosen.population.queries:,} queries, {described(chosen.population)}.",
    ]


def confirmed(chosen: Style, target: Path, yes: bool) -> bool:
    """Show the lines and ask a person to confirm; `yes`: without asking. Without a terminal the answer is no."""
    console.print("\n".join(shown(chosen, target)), markup=False, highlight=False)
    if yes:
        return True
    if not sys.stdin.isatty():
        console.print("No terminal to ask at: to write it, add `--yes`.", markup=False)
        return False
    return input("Write it? [y/N] ").strip().lower() in ("y", "yes")


def distinct(queries: Sequence[str]) -> list[str]:
    return list({normalised(query): one_line(query) for query in queries}.values())
