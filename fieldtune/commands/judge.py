"""`fieldtune judge`: real queries with answers, judged by a person with two keys."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from fieldtune.commands import params
from fieldtune.commands.keyboard import Keyboard, open_keyboard
from fieldtune.commands.preconditions import check_ranking
from fieldtune.commands.query_rows import has_answer, one_line, query_of
from fieldtune.corpus import files, tables
from fieldtune.corpus.passages import section_id
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, note, printable
from fieldtune.runtime.errors import UserError

if TYPE_CHECKING:  # torch takes seconds to import, and mistakes are reported at once
    from fieldtune.commands.loaded_systems import Candidate

_ENOUGH = 100  # queries with answers that the verdict on real queries needs
_AT_ONCE = 100  # queries ranked before the first of them is judged
_FRAME = 11  # lines of the screen around the passage's text
_KEYS = "y answers it   n does not   s skip the query   q quit"

Row = dict[str, Any]


ABOUT = "build a test set: judge the results of all systems with two keys"


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


def judge(queries: Path | None, out: Path, top: int) -> str:
    """Show a person what the systems retrieve for each query; add what answers it to `out`, a JSONL of real queries.

    `queries` is a table with `query`; None: the search log of `queries:` in params.yaml or, if nothing of it is left,
    queries that the person types. Typed queries are saved beside `out` at once and come first next time. Queries that
    are already in `out` are not shown again. Each query is written as soon as it is judged. The first `top` sections of
    each system are shown. Returns what was done and what to type next. Raises UserError if the earlier stages have not
    run, and for a table that cannot be read.
    """
    _check(out, top)
    _, settings = params.read()
    left = _left(queries, out)
    if queries is not None and not left:
        return f"all queries of {queries} are in {out} already"
    counts = Counter[str]()

    def save(rows: Sequence[Row]) -> None:
        _append(out, rows)
        counts["judged"] += 1
        counts["answered"] += has_answer(rows[0])

    try:
        _judge(left or _typed(out), top, save)
    except KeyboardInterrupt:  # only the query on the screen is lost
        note("")
    return _summary(counts, out, Path(str(settings.get("queries"))))


def _check(out: Path, top: int) -> None:
    check_ranking(top)
    if out.suffix.lower() in tables.SUFFIXES and out.suffix.lower() != ".jsonl":
        raise UserError(f"--out {out}: judgements are written as JSONL: give a name that ends in .jsonl")


def _left(queries: Path | None, out: Path) -> list[str]:
    """The queries of the table that are not in `out`, each once, in the table's order."""
    if queries is not None and not queries.is_file():
        raise UserError(f"{queries} not found")
    table = queries or paths.REAL_LOG
    rows = _queries_of(table)
    if queries is not None and not rows:
        raise UserError(f"{queries} has no rows")
    return _not_in(out, rows)


def _not_in(out: Path, queries: Iterable[str]) -> list[str]:
    judged = set(_queries_of(out))
    return [query for query in queries if query not in judged]


def _queries_of(table: Path) -> list[str]:
    """The distinct queries of a table, in its order; none if the file does not exist."""
    queries: dict[str, None] = {}
    for where, row in tables.read(table) if table.is_file() else ():
        queries[query_of(where, row)] = None
    return list(queries)


def _kept(out: Path) -> Path:
    """The file with the queries that were typed for `out`."""
    return out.with_name(f"{out.stem}.queries.jsonl")


def _typed(out: Path) -> list[str]:
    """Queries that a person typed earlier and did not judge, then those typed now: before any result is shown, since
    results would influence their wording. Each is saved at once.
    """
    kept = _kept(out)
    queries = _not_in(out, _queries_of(kept))
    if queries:
        note(f"{len(queries):,} queries typed earlier come first ({kept})")
    note("Type queries as your users would, one per line; an empty line ends the list.")
    seen = {*queries, *_queries_of(out)}
    for query in _lines():
        if query not in seen:
            seen.add(query)
            _append(kept, [{"query": query}])
            queries.append(query)
    if queries:
        note(f"saved in {kept}")
    return queries


def _lines() -> Iterator[str]:
    """The typed lines, until one is empty or the input ends."""
    try:
        while query := one_line(console.input("  query: ")):
            yield query
    except EOFError:
        return


def _judge(queries: Sequence[str], top: int, save: Callable[[Sequence[Row]], None]) -> None:
    """Pass the rows of each judged query to `save`, until the person quits."""
    if not queries:
        return
    from fieldtune.commands.loaded_systems import Systems

    passages = list(files.read_jsonl(paths.PASSAGES))
    with console.status("loading the models"):
        systems = Systems(passages)
    for start in range(0, len(queries), _AT_ONCE):
        batch = queries[start : start + _AT_ONCE]
        pools = systems.pools(batch, top)
        with open_keyboard() as keyboard:
            for number, (query, pool) in enumerate(zip(batch, pools, strict=True), start=start + 1):
                answer = _ask(query, f"query {number:,} of {len(queries):,}", pool, passages, keyboard)
                if answer == "q":
                    return
                if isinstance(answer, list):
                    save(answer)


def _ask(
    query: str, place: str, pool: Sequence["Candidate"], passages: Sequence[Mapping[str, Any]], keyboard: Keyboard
) -> list[Row] | str:
    """The rows of one query, or `s` or `q`."""
    rows: list[Row] = []
    for number, candidate in enumerate(pool, start=1):
        keyboard.forget()
        _show(query, f"{place}, passage {number} of {len(pool)}", [passages[row] for row in candidate.passages])
        while (key := keyboard.next() or "q") not in "ynsq":
            pass
        if key in "sq":
            return key
        if key == "y":
            rows.append({"query": query, **_place(candidate, passages)})
    first, *rest = rows or [{"query": query}]
    judged = [section_id(candidate.source, candidate.section) for candidate in pool]
    return [{**first, "judged": judged}, *rest]


def _place(candidate: "Candidate", passages: Sequence[Mapping[str, Any]]) -> Row:
    if candidate.section:
        return {"source": candidate.source, "section": candidate.section}
    # An empty heading cannot be given as the section: an empty section means the whole file.
    return {"passage_id": passages[candidate.passages[0]]["id"]}


def _show(query: str, place: str, passages: Sequence[Mapping[str, Any]]) -> None:
    """Show a section on one screen: the query, the section's place, and those of its passages that a system ranked."""
    console.clear()
    lines = max(3, (console.height - _FRAME) // len(passages) - 1)
    _print(query, 2, "bold")
    _print(place, 1, "dim")
    _print(f"\n{passages[0]['source']} # {passages[0]['section']}", 3, "cyan")
    _print(passages[0]["title"], 2, "bold cyan")
    for passage in passages:
        _print(f"\n{passage['text']}", lines + 1)
    _print(f"\n{_KEYS}", 3, "dim")


def _print(text: str, lines: int, style: str = "") -> None:
    """Print a text without terminal control characters, cut to `lines` lines."""
    wrapped = Text(printable(text), style=style).wrap(console, console.width, tab_size=4)
    for line in wrapped[:lines]:
        console.print(line)
    if len(wrapped) > lines:
        console.print("…", style="dim")


def _append(out: Path, rows: Sequence[Row]) -> None:
    """Append rows to the file's present content."""
    before = out.read_bytes() if out.is_file() else b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    new = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with files.replace_file(out) as temporary:
        temporary.write_bytes(before + new.encode())


def _summary(counts: Counter[str], out: Path, now: Path) -> str:
    """The number of queries judged, and what to do next; `now` is the table that params.yaml names."""
    message = f"{counts['judged']:,} queries judged, {counts['answered']:,} of them with an answer"
    if left := len(_not_in(out, _queries_of(_kept(out)))):
        message += (
            f"\n{left:,} typed queries are not judged yet: {_kept(out)} keeps them for the next `fieldtune judge`"
        )
    if not out.is_file():
        return message
    number = len({query_of(where, row) for where, row in tables.read(out) if has_answer(row)})
    enough = f"{_ENOUGH - number:,} more needed for" if number < _ENOUGH else "enough for"
    lines = [message, f"{out} has {number:,} queries with answers: {enough} a verdict on what people type"]
    if now.resolve() == out.resolve():
        return "\n".join([*lines, "next: dvc repro"])
    lines.append(f"next: `queries: {out.as_posix()}` in params.yaml, then `dvc repro`")
    if now not in (paths.SAMPLE_REAL, paths.NONE):
        lines.append(f"this replaces {now}: to keep both, merge their rows into one table")
    return "\n".join(lines)
