"""`fieldtune compare`: the evaluations of two commits, query by query."""

import argparse
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from fieldtune.retrieval.formatting import difference_ends
from fieldtune.retrieval.judged_queries import TITLES
from fieldtune.retrieval.significance import Interval, fewest_clusters
from fieldtune.retrieval.systems import LABELS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console, note, printable
from fieldtune.runtime.errors import UserError
from stages.evaluate import bootstrap
from stages.evaluate.query_keys import QueryKey, hash_test_set, query_key
from stages.evaluate.randomisation import p_values

_DRAWS = 10_000
_CONFIDENCE = 0.95
_FEWEST_GROUPS = fewest_clusters(_CONFIDENCE)
_SEED = 0
_METRIC = "ndcg@10"
_NO_QUERIES = "none"
_TEST_SETS = ("real", "synthetic")  # every test query is in one of them

Columns = dict[str, list[Any]]
Values = npt.NDArray[np.float64]


ABOUT = "compare the evaluations of two commits, query by query: what got better and worse, with intervals and p"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("before", metavar="A", help="a git revision")
    parser.add_argument("after", nargs="?", metavar="B", help="another one (default: the working tree)")
    parser.add_argument("--top", type=int, default=5, help="queries listed as better, and as worse (default: 5)")


def compare(before: str, after: str | None, top: int) -> str:
    """Print the scores of two git revisions on the queries that both have, and the queries that changed most.

    If `after` is None, the working tree is compared. `top` queries that improved, and as many that got worse, are
    listed. Two queries are the same if their words and answers are. Returns a summary. Raises UserError if a revision
    does not exist or has no evaluation, and if the two have no query in common.
    """
    left, right = read(before), read(after)
    names = before, after or "now"
    pairs = shared(left, right)
    old, new = select_rows(left, [a for a, _ in pairs]), select_rows(right, [b for _, b in pairs])
    for message in describe_test_sets(left, right, new, names):
        note(message)
    if not pairs:
        raise UserError(f"{names[0]} and {names[1]} have no test query with the same answers in common")
    console.print(_scores(old, new, names))
    change = _values(new, "tuned") - _values(old, "tuned")
    for title, sign in (("better", 1), ("worse", -1)):
        if rows := changed(new["query"], sign * change, top):
            console.print(_queries(f"Tuned got {title} on", select_rows(old, rows), select_rows(new, rows), names))
    better, worse = int((change > 1e-9).sum()), int((change < -1e-9).sum())
    return f"{len(pairs):,} queries in both: tuned better on {better:,}, worse on {worse:,}"


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
    """Pairs of rows of the same query with the same answers, in the order of `right`."""
    pairs = []
    for name in _TEST_SETS:
        rows = _rows(left, name)
        pairs += [(rows[key], row) for key, row in _rows(right, name).items() if key in rows]
    return sorted(pairs, key=lambda pair: pair[1])


def select_rows(table: Columns, rows: Sequence[int]) -> Columns:
    """The table of these rows, in their order."""
    return {name: [column[row] for row in rows] for name, column in table.items()}


def describe_test_sets(left: Columns, right: Columns, common: Columns, names: tuple[str, str]) -> list[str]:
    """A sentence per query set of two revisions: whether the tests are the same, and how many queries both have.

    `common` has the rows of `right` whose queries are also in `left`; `names` are those of the revisions.
    """
    messages = []
    for name in _TEST_SETS:
        old, new = _describe(_rows(left, name)), _describe(_rows(right, name))
        if old == new == _NO_QUERIES:
            continue
        rows = _rows(common, name).values()
        message = f"{TITLES[name]}: the same test set, {new}"
        if old != new:
            message = f"{TITLES[name]}: the test sets differ: {names[0]} has {old}, {names[1]} has {new}; "
            message += f"the {len(rows):,} queries in both are compared" if rows else "no query is in both"
        groups = len({common["group"][row] for row in rows})
        if 0 < groups < _FEWEST_GROUPS:
            message += f"; too few for an interval: {groups} groups of queries, and it needs {_FEWEST_GROUPS}"
        messages.append(message)
    return messages


def changed(queries: Sequence[str], change: Values, top: int) -> list[int]:
    """The `top` rows with the largest changes above 0, largest first."""
    order = sorted(range(len(queries)), key=lambda row: (-change[row], queries[row]))
    return [row for row in order[:top] if change[row] > 1e-9]


def _rows(table: Columns, name: str) -> dict[QueryKey, int]:
    """The rows of a query set, by their keys."""
    graded = table.get("graded") or [[]] * len(table["query"])
    columns = zip(table["query"], table["answers"], graded, table["sets"], strict=True)
    return {
        query_key(query, [*answers, *grades]): row
        for row, (query, answers, grades, sets) in enumerate(columns)
        if name in sets
    }


def _describe(keys: Collection[QueryKey]) -> str:
    return f"{len(keys):,} queries ({hash_test_set(keys)})" if keys else _NO_QUERIES


def _values(table: Columns, system: str) -> Values:
    return np.array(table[f"{system}_{_METRIC}"], dtype=np.float64)


def _scores(old: Columns, new: Columns, names: tuple[str, str]) -> Table:
    """NDCG@10 by query set and system; unchanged systems are left out, but the tuned model is always shown.

    The rows of `old` and `new` are the same queries.
    """
    shown = Table(title="NDCG@10 on the queries in both", title_justify="left")
    shown.add_column("query set")
    shown.add_column("system")
    for name in (*names, "difference", f"{100 * _CONFIDENCE:g}% interval", "p"):
        shown.add_column(name, justify="right")
    groups = np.array(new["group"])
    rows_by_set: dict[str, list[int]] = {}
    for row, sets in enumerate(new["sets"]):
        for name in sets:
            rows_by_set.setdefault(name, []).append(row)
    for name, rows in rows_by_set.items():
        for system, label in LABELS.items():
            if f"{system}_{_METRIC}" not in old or f"{system}_{_METRIC}" not in new:
                continue  # a commit from before this system
            a, b = _values(old, system)[rows], _values(new, system)[rows]
            if system == "tuned" or np.abs(b - a).max() > 1e-9:
                gain, p = difference(a, b, groups[rows])
                shown.add_row(
                    f"{name} ({len(rows):,})",
                    label,
                    f"{a.mean():.3f}",
                    f"{b.mean():.3f}",
                    f"{gain.mean:+.3f}",
                    difference_ends(gain),
                    f"{p:.2g}",
                )
    return shown


def difference(old: Values, new: Values, groups: npt.NDArray[np.int64]) -> tuple[Interval, float]:
    """The gain of `new` over `old`, both [queries], with its interval and p, computed as in `evaluate`."""
    change = (new - old)[None]
    drawn = bootstrap.means(change, groups, _DRAWS, _SEED)[0]
    number = len(np.unique(groups))
    gain = bootstrap.interval(float(change.mean()), drawn, _CONFIDENCE, number, (-1.0, 1.0))
    return gain, float(p_values(change, groups, _DRAWS, _SEED)[0])


def _queries(title: str, old: Columns, new: Columns, names: tuple[str, str]) -> Table:
    """The tuned model's NDCG@10 per query, before and after; the rows of `old` and `new` are the same queries."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("query", overflow="fold")
    for name in names:
        shown.add_column(name, justify="right")
    for query, a, b in zip(new["query"], _values(old, "tuned"), _values(new, "tuned"), strict=True):
        shown.add_row(Text(printable(query)), f"{a:.3f}", f"{b:.3f}")
    return shown
