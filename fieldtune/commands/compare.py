"""`fieldtune compare`: the evaluations of two commits, query by query."""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from fieldtune.retrieval.formatting import difference_ends
from fieldtune.retrieval.significance import Interval
from fieldtune.retrieval.systems import LABELS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, printable
from fieldtune.runtime.errors import UserError
from stages.evaluate import bootstrap
from stages.evaluate.randomisation import p_values

_DRAWS = 10_000
_CONFIDENCE = 0.95
_SEED = 0
_METRIC = "ndcg@10"

Columns = dict[str, list[Any]]
Values = npt.NDArray[np.float64]


ABOUT = "the evaluations of two commits, query by query: what got better and worse, with intervals and p"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("before", metavar="A", help="a git revision")
    parser.add_argument("after", nargs="?", metavar="B", help="another one (default: the files of the working tree)")
    parser.add_argument("--top", type=int, default=5, help="queries named that got better, and worse (default: 5)")


def compare(before: str, after: str | None, top: int) -> str:
    """Print the scores of two git revisions on the queries that both have, and the queries that changed most.

    If `after` is None, it is the working tree. `top` queries that got better, and worse, are named. Only queries with
    the same answers are compared. Returns a summary. Raises UserError if a revision does not exist or has no
    evaluation, and if the two have no query in common.
    """
    left, right = read(before), read(after)
    names = before, after or "now"
    rows = shared(left, right)
    if not rows:
        raise UserError(f"{names[0]} and {names[1]} have no test query with the same answers in common")
    a, b = np.array(rows).T
    groups = np.array(right["group"])[b]
    console.print(_scores(left, right, a, b, groups, names))
    change = _values(right, "tuned")[b] - _values(left, "tuned")[a]
    queries = [right["query"][row] for row in b]
    for title, sign in (("better", 1), ("worse", -1)):
        if places := changed(queries, sign * change, top):
            console.print(_queries(f"Tuned got {title} on", places, left, right, a, b, names))
    better, worse = int((change > 1e-9).sum()), int((change < -1e-9).sum())
    unpaired = len(left["query"]) - len(rows), len(right["query"]) - len(rows)
    summary = f"{len(rows):,} queries: tuned better on {better:,}, worse on {worse:,}"
    if any(unpaired):
        summary += (
            f"; {unpaired[0]:,} of {names[0]} and {unpaired[1]:,} of {names[1]} have no partner with the same answers"
        )
    return summary


def read(revision: str | None) -> Columns:
    """per_query.parquet of a git revision, from DVC's cache or remote; None: of the working tree."""
    import pyarrow.parquet as pq

    if revision is None:
        if not paths.PER_QUERY.is_file():
            raise UserError(f"{paths.PER_QUERY} not found: run `dvc repro`")
        table: Columns = pq.read_table(paths.PER_QUERY).to_pydict()
        return table
    from dvc import api
    from dvc.exceptions import DvcException
    from dvc.scm import RevError

    try:
        with api.open(paths.PER_QUERY.as_posix(), rev=revision, mode="rb") as file:
            columns: Columns = pq.read_table(file).to_pydict()
    except RevError as error:
        raise UserError(f"{revision} is not a revision of this repository: {error}") from error
    except (DvcException, FileNotFoundError) as error:
        if api.DVCFileSystem(rev=revision).isfile(paths.PER_QUERY.as_posix()):
            raise UserError(
                f"{revision}: its {paths.PER_QUERY} is not in the local DVC cache: run `dvc fetch --all-commits "
                f"{paths.PER_QUERY}` if a DVC remote has it, or check that commit out and run `dvc repro`"
            ) from error
        raise UserError(f"{revision} has no {paths.PER_QUERY}: commit dvc.lock after `dvc repro`") from error
    return columns


def shared(left: Columns, right: Columns) -> list[tuple[int, int]]:
    """Pairs of rows of the same query with the same answers."""
    place = {key: row for row, key in enumerate(_keys(left, right))}
    return [(place[key], row) for row, key in enumerate(_keys(right, left)) if key in place]


def changed(queries: Sequence[str], change: Values, top: int) -> list[int]:
    """The `top` places of the highest changes above 0, highest first."""
    order = sorted(range(len(queries)), key=lambda row: (-change[row], queries[row]))
    return [row for row in order[:top] if change[row] > 1e-9]


def _keys(table: Columns, other: Columns) -> list[tuple[Any, ...]]:
    """The keys by which two rows are one question, of the columns that both tables have."""
    names = [name for name in ("query", "kind", "answers") if name in table and name in other]
    parts = [[tuple(cell) if isinstance(cell, list) else cell for cell in table[name]] for name in names]
    return list(zip(*parts, strict=True))


def _values(table: Columns, system: str) -> Values:
    return np.array(table[f"{system}_{_METRIC}"], dtype=np.float64)


def _scores(
    left: Columns,
    right: Columns,
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    names: tuple[str, str],
) -> Table:
    """NDCG@10 by query set and system; systems in which nothing changed are left out, the tuned model is always in."""
    shown = Table(title="NDCG@10 on the queries of both", title_justify="left")
    shown.add_column("query set")
    shown.add_column("system")
    for name in (*names, "difference", f"{100 * _CONFIDENCE:g} % interval", "p"):
        shown.add_column(name, justify="right")
    places_by_set: dict[str, list[int]] = {}
    for place, row in enumerate(b.tolist()):
        for name in right["sets"][row]:
            places_by_set.setdefault(name, []).append(place)
    for name, places in places_by_set.items():
        for system, label in LABELS.items():
            old, new = _values(left, system)[a[places]], _values(right, system)[b[places]]
            if system == "tuned" or np.abs(new - old).max() > 1e-9:
                gain, p = difference(old, new, groups[places])
                shown.add_row(
                    f"{name} ({len(places):,})",
                    label,
                    f"{old.mean():.3f}",
                    f"{new.mean():.3f}",
                    f"{gain.mean:+.3f}",
                    difference_ends(gain),
                    f"{p:.2g}",
                )
    return shown


def difference(old: Values, new: Values, groups: npt.NDArray[np.int64]) -> tuple[Interval, float]:
    """The gain of `new` over `old`, both [queries], with its interval, and p, as `evaluate` works them out."""
    change = (new - old)[None]
    drawn = bootstrap.means(change, groups, _DRAWS, _SEED)[0]
    number = len(np.unique(groups))
    gain = bootstrap.interval(float(change.mean()), drawn, _CONFIDENCE, number, (-1.0, 1.0))
    return gain, float(p_values(change, groups, _DRAWS, _SEED)[0])


def _queries(
    title: str,
    places: Sequence[int],
    left: Columns,
    right: Columns,
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    names: tuple[str, str],
) -> Table:
    """The tuned model's NDCG@10 of some queries, before and after; `places` are of the pairs of rows `a` and `b`."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("query", overflow="fold")
    for name in names:
        shown.add_column(name, justify="right")
    for place in places:
        old, new = _values(left, "tuned")[a[place]], _values(right, "tuned")[b[place]]
        shown.add_row(Text(printable(right["query"][b[place]])), f"{old:.3f}", f"{new:.3f}")
    return shown
