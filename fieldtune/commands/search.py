"""`fieldtune search`: the results of base model, BM25 and tuned model for a query, side by side."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fieldtune.commands.preconditions import check_ranking
from fieldtune.corpus import files
from fieldtune.retrieval.formatting import beginning
from fieldtune.retrieval.systems import LABELS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, printable
from fieldtune.runtime.errors import UserError

_LETTERS = 110  # of a passage's text that are shown


ABOUT = "show the results of base model, BM25 and tuned model for a query, side by side"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("words", help="the query")
    parser.add_argument("--top", type=int, default=5, help="sections shown per system (default: 5)")


def search(words: str, top: int) -> str:
    """Print the first `top` sections of each system for a query; return a summary.

    A section that no other system returns is bold. Raises UserError if the earlier stages have not run.
    """
    if not words.strip():
        raise UserError('the query is empty: run `fieldtune search "words to search for"`')
    check_ranking(top)
    from fieldtune.commands.loaded_systems import Systems

    passages = list(files.read_jsonl(paths.PASSAGES))
    with console.status("loading the models"):
        systems = Systems(passages)
    hits = systems.best(words, top)
    console.print(side_by_side(hits, passages))
    left_out = "" if "tuned" in hits else "; no tuned model yet: run `dvc repro`"
    return f"{len(passages):,} passages searched{left_out}"


def side_by_side(hits: Mapping[str, Sequence[tuple[int, float]]], passages: Sequence[Mapping[str, Any]]) -> Table:
    """A column per system; `hits` has its passages (rows of passages.jsonl) with their scores, best first."""
    shown = Table(show_lines=True)
    shown.add_column("", justify="right")
    for name in hits:
        shown.add_column(LABELS[name], ratio=1, overflow="fold")
    places = {name: [_place(passages[row]) for row, _ in rows] for name, rows in hits.items()}
    for rank in range(max(map(len, hits.values()), default=0)):
        cells = []
        for name, rows in hits.items():
            if rank >= len(rows):
                cells.append(Text())
                continue
            row, score = rows[rank]
            others = {place for other, ranked in places.items() if other != name for place in ranked}
            cells.append(_cell(passages[row], score, unique=_place(passages[row]) not in others))
        shown.add_row(str(rank + 1), *cells)
    return shown


def _place(passage: Mapping[str, Any]) -> tuple[str, str]:
    return passage["source"], passage["section"]


def _cell(passage: Mapping[str, Any], score: float, unique: bool) -> Text:
    return Text.assemble(
        (printable(passage["title"] or passage["section"]), "bold" if unique else ""),
        (f"  {score:.3f}\n", "dim"),
        (printable(f"{passage['source']}#{passage['section']}\n"), "cyan"),
        (printable(beginning(passage["text"], _LETTERS)), "dim"),
    )
