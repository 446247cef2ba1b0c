"""`fieldtune judge`: real queries with answers, judged by people in a browser, or at the terminal."""

import argparse
import os
import sys
import threading
import webbrowser
from collections import Counter
from pathlib import Path
from typing import Any

from fieldtune.commands import judge_terminal, params
from fieldtune.commands.judged_table import check_out, not_in, queries_of, summary, to_judge, typed_queries
from fieldtune.commands.preconditions import check_ranking
from fieldtune.commands.query_rows import has_answer
from fieldtune.commands.style import style_in_use
from fieldtune.corpus import files, tables
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, note
from fieldtune.runtime.errors import UserError

ABOUT = "build a test set: judge in the browser what all systems find for real queries"
_HERE = "127.0.0.1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "queries",
        type=Path,
        nargs="?",
        help="a table with `query` (default: the search log of `queries:`, or typed)",
    )
    parser.add_argument("--out", type=Path, default=Path("real.jsonl"), help="JSONL to append to (default: real.jsonl)")
    parser.add_argument("--top", type=int, default=5, help="sections judged per system (default: 5)")
    parser.add_argument("--terminal", action="store_true", help="judge at the terminal, with two keys")
    parser.add_argument(
        "--host", default=_HERE, help="address of the page for several people, such as 0.0.0.0 (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, help="port of the page (default: 8765, or any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the page's link, and open no browser")
    parser.add_argument("--split", action="store_true", help="propose a split for each query of --out, and say why")
    parser.add_argument("--yes", action="store_true", help="write the splits without asking")


def judge(queries: Path | None, out: Path, top: int, terminal: bool, split: bool, **options: Any) -> str:
    """Judge queries, or propose their splits; return what was done and what to type next.

    `queries` is a table with `query`; None: the search log of `queries:` in params.yaml or, if nothing of it is left,
    queries that people type. Queries that are already in `out` are not shown again. Raises UserError if the earlier
    stages have not run, and for a table that cannot be read.
    """
    check_out(out)
    if split:
        return _split(out, options["yes"])
    check_ranking(top)
    _, settings = params.read()
    every = to_judge(queries)
    left = not_in(out, every)
    if queries is not None and not left and (terminal or not _journal(out).is_file()):
        return f"all queries of {queries} are in {out} already"
    if terminal:
        counts = judge_terminal.judge(left, out, top)
    else:
        counts = _page(every if left or queries else [], out, top, **options)
    return summary(counts, out, Path(str(settings.get("queries"))))


def _journal(out: Path) -> Path:
    """Everything that was pressed on the page for `out`."""
    return out.with_name(f"{out.stem}.judgements.jsonl")


def _page(
    queries: list[str], out: Path, top: int, host: str, port: int | None, no_browser: bool, yes: bool
) -> Counter[str]:
    """Serve the page until Ctrl-C; the number of queries judged, answered and unanswered."""
    from fieldtune.judging import order, server

    chosen = order.order(queries)
    if len(chosen) < len(queries):
        note(f"{len(queries):,} queries, {len(chosen):,} without near copies")
    typed = None if queries else typed_queries(out)
    judging = server.Judging(chosen or queries_of(typed_queries(out)), typed, _journal(out), out)
    secret = server.token()

    def opened(port: int) -> None:
        link = server.link(host, port, secret, "me" if host == _HERE else "")
        console.print(f"  Judge here: {link}", markup=False, soft_wrap=True)
        if host == _HERE:
            note(f"From another machine: ssh -L {port}:127.0.0.1:{port}, then the same link")
        else:
            note("The link is for everybody who judges: the page asks for a name, or put &name=… behind it")
        note("Each judgement is saved at once; Ctrl-C ends")
        if not no_browser and sys.stdout.isatty() and _has_screen():
            # In a thread: it waits up to five seconds for some browsers, and they for the page.
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    return Counter(server.serve(judging, _load, top, host, port, secret, opened))


def _load() -> Any:
    """Load passages and models; torch takes seconds to import."""
    from fieldtune.commands.loaded_systems import Systems

    passages = list(files.read_jsonl(paths.PASSAGES))
    return passages, Systems(passages)


def _has_screen() -> bool:
    """Tell if a browser would open a window, not take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _split(out: Path, yes: bool) -> str:
    """Show the proposed splits of a table's queries, and write them if a person agrees."""
    from fieldtune.corpus.passages import Corpus
    from fieldtune.corpus.style import read_style
    from fieldtune.judging.split import linked_sections, propose, with_splits
    from fieldtune.runtime.settings import load
    from stages.dataset.config import DatasetConfig

    if not out.is_file():
        raise UserError(f"{out} not found: judge some queries first, or name their table with --out")
    if not paths.PASSAGES.is_file():
        raise UserError(f"{paths.PASSAGES} not found: run `dvc repro ingest`")
    _, settings = params.read()
    passages = list(files.read_jsonl(paths.PASSAGES))
    overlap = load("dataset", DatasetConfig).near_duplicates.overlap
    cluster_of = linked_sections(Corpus.from_passages(passages), [row["text"] for row in passages], overlap)
    style = read_style(style_in_use(settings))
    proposal = propose(
        _judged(out, passages, str(settings.get("documents"))), cluster_of, style.examples if style else []
    )
    console.print("\n".join(proposal.reasons), markup=False)
    if not proposal.splits:
        return "no query without a split: nothing to write"
    if not yes and not _agrees(out):
        return "nothing was written"
    files.write_text(out, with_splits(out.read_bytes().decode("utf-8"), proposal.splits))
    return f"{out}: {len(proposal.splits):,} queries have a split now\nnext: dvc repro"


def _agrees(out: Path) -> bool:
    if not sys.stdin.isatty():
        console.print("No terminal to ask at: to write it, add `--yes`.", markup=False)
        return False
    return input(f"Write it to {out}? [y/N] ").strip().lower() in ("y", "yes")


def _judged(out: Path, passages: list[dict[str, Any]], documents: str) -> Any:
    """The table's queries with the sections that answer them, as the stage `real` finds them."""
    from fieldtune.corpus.tables import cell
    from fieldtune.corpus.unicode import normalised
    from fieldtune.judging.split import JudgedQuery
    from stages.real.matching import match

    rows = list(tables.read(out))
    full: set[str] = set()  # queries with a row that answers in full
    splits = {}
    for _, row in rows:
        query = normalised(cell(row, "query"))
        if has_answer(row):
            full.add(query)
        splits[query] = cell(row, "split") or cell(row, "group")
    matched = match(rows, passages, documents)
    return [
        *(
            JudgedQuery(each.query, list(each.graded), normalised(each.query) in full, splits[normalised(each.query)])
            for each in matched.queries
        ),
        *(JudgedQuery(query, [], False, splits[normalised(query)]) for query in matched.log),
    ]
