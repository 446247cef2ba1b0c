"""`fieldtune search`: what the base model, BM25 and the tuned model find for a query, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fieldtune.commands.ranked import check_ranking
from fieldtune.commands.terminal import plain
from fieldtune.corpus import files
from fieldtune.retrieval.formatting import beginning
from fieldtune.retrieval.systems import LABELS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

_LETTERS = 110  # of a passage's text


def search(words: str, top: int) -> str:
    """Print the first `top` sections of each system for a query; returns a line that sums it up.

    A section that no other system has is bold. Raises UserError where the stages before have not run.
    """
    if not words.strip():
        raise UserError('say what to search for: fieldtune search "words"')
    check_ranking(top)
    from fieldtune.commands.pooling import Systems

    passages = list(files.read_jsonl(paths.PASSAGES))
    with console.status("loading the models"):
        systems = Systems(passages)
    found = systems.best(words, top)
    console.print(side_by_side(found, passages))
    left_out = "" if "tuned" in found else "; no tuned model yet: run `dvc repro`"
    return f"{len(passages):,} passages searched{left_out}"


def side_by_side(found: Mapping[str, Sequence[tuple[int, float]]], passages: Sequence[Mapping[str, Any]]) -> Table:
    """A column for each system; `found` has its passages (rows of passages.jsonl) with their scores, best first."""
    shown = Table(show_lines=True)
    shown.add_column("", justify="right")
    for name in found:
        shown.add_column(LABELS[name], ratio=1, overflow="fold")
    places = {name: [_place(passages[row]) for row, _ in rows] for name, rows in found.items()}
    for rank in range(max(map(len, found.values()), default=0)):
        cells = []
        for name, rows in found.items():
            if rank >= len(rows):
                cells.append(Text())
                continue
            row, score = rows[rank]
            others = {place for other, of in places.items() if other != name for place in of}
            cells.append(_cell(passages[row], score, alone=_place(passages[row]) not in others))
        shown.add_row(str(rank + 1), *cells)
    return shown


def _place(passage: Mapping[str, Any]) -> tuple[str, str]:
    return passage["source"], passage["section"]


def _cell(passage: Mapping[str, Any], score: float, alone: bool) -> Text:
    return Text.assemble(
        (plain(passage["title"] or passage["section"]), "bold" if alone else ""),
        (f"  {score:.3f}\n", "dim"),
        (plain(f"{passage['source']}#{passage['section']}\n"), "cyan"),
        (plain(beginning(passage["text"], _LETTERS)), "dim"),
    )
