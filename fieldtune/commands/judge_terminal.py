"""`fieldtune judge --terminal`: real queries with answers, judged by a person with two keys."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from fieldtune.commands.judged_table import answered_in, not_in, queries_of, typed_queries
from fieldtune.commands.keyboard import Keyboard, open_keyboard
from fieldtune.commands.query_rows import has_answer, one_line
from fieldtune.corpus import files
from fieldtune.corpus.passages import section_id
from fieldtune.judging import worth
from fieldtune.judging.candidates import Candidate
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, note, printable

_AT_ONCE = 100  # queries ranked before the first of them is judged
_FRAME = 11  # lines of the screen around the passage's text
_KEYS = "y answers it   n does not   s skip the query   ? how many more   q quit"

Row = dict[str, Any]


def judge(queries: Sequence[str], out: Path, top: int) -> Counter[str]:
    """Show a person what the systems retrieve for each query; add what answers it to `out`, a JSONL of real queries.

    `queries` are those left to judge; if there are none, the person types some. Typed queries are saved beside `out` at
    once and come first next time. Each query is written as soon as it is judged. The first `top` sections of each
    system are shown. Returns how many queries were judged and answered.
    """
    counts = Counter[str]()

    def save(rows: Sequence[Row]) -> None:
        _append(out, rows)
        counts["judged"] += 1
        counts["answered"] += has_answer(rows[0])

    try:
        _judge(queries or _typed(out), top, save, lambda: worth.advice(answered_in(out)))
    except KeyboardInterrupt:  # only the query on the screen is lost
        note("")
    return counts


def _typed(out: Path) -> list[str]:
    """Queries that a person typed earlier and did not judge, then those typed now: before any result is shown, since
    results would influence their wording. Each is saved at once.
    """
    kept = typed_queries(out)
    queries = not_in(out, queries_of(kept))
    if queries:
        note(f"{len(queries):,} queries typed earlier come first ({kept})")
    note("Type queries as your users would, one per line; an empty line ends the list.")
    seen = {*queries, *queries_of(out)}
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


def _judge(
    queries: Sequence[str], top: int, save: Callable[[Sequence[Row]], None], how_many: Callable[[], str]
) -> None:
    """Pass the rows of each judged query to `save`, until the person quits; `how_many` more they need, if they ask."""
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
                answer = _ask(query, f"query {number:,} of {len(queries):,}", pool, passages, keyboard, how_many)
                if answer == "q":
                    return
                if isinstance(answer, list):
                    save(answer)


def _ask(
    query: str,
    place: str,
    pool: Sequence[Candidate],
    passages: Sequence[Mapping[str, Any]],
    keyboard: Keyboard,
    how_many: Callable[[], str],
) -> list[Row] | str:
    """The rows of one query, or `s` or `q`."""
    rows: list[Row] = []
    for number, candidate in enumerate(pool, start=1):
        keyboard.forget()
        _show(query, f"{place}, passage {number} of {len(pool)}", [passages[row] for row in candidate.passages])
        while (key := keyboard.next() or "q") not in "ynsq":
            if key == "?":
                _print(f"\n{how_many()}", 12)
        if key in "sq":
            return key
        if key == "y":
            rows.append({"query": query, **_place(candidate, passages)})
    first, *rest = rows or [{"query": query}]
    judged = [section_id(candidate.source, candidate.section) for candidate in pool]
    return [{**first, "judged": judged}, *rest]


def _place(candidate: Candidate, passages: Sequence[Mapping[str, Any]]) -> Row:
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
