"""`fieldtune experiments`: DVC's experiments, one per row, with changed values, gain and verdict."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from fieldtune.commands.version_control import run_dvc
from fieldtune.runtime import paths
from fieldtune.runtime.console import console

ABOUT = "list the experiments of the last commit: changed values of params.yaml, base and tuned model, gain, verdict"
_FINISHED, _FAILED, _RUNNING, _QUEUED = "finished", "failed", "running", "queued"
_WORKSPACE = "workspace"  # as DVC calls it


@dataclass(frozen=True)
class Experiment:
    """An experiment, the commit that experiments start from, or the workspace."""

    name: str
    rev: str
    created: str | None  # ISO 8601; None while it runs, and for the workspace
    state: str  # finished, failed, running or queued
    params: Mapping[str, Any]  # of params.yaml, by dotted key
    summary: Mapping[str, Any]  # data/evaluation/summary.json; empty if there is none


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="print a JSON list instead of a table")


def experiments(as_json: bool) -> str:
    """Print the experiments that started from the last commit, newest last, with that commit and the workspace.

    Returns a sentence if there are none, and the rows as JSON if `as_json`. Raises UserError if DVC cannot list them.
    """
    shown = json.loads(run_dvc("exp", "show", "--json"))
    rows = read(shown)
    changed = differing(rows)
    if as_json:
        values = [
            {**asdict(row), "params": {key: row.params[key] for key in changed if key in row.params}} for row in rows
        ]
        return json.dumps(values, indent=2, ensure_ascii=False)
    if not any(entry["experiments"] for entry in shown):
        return "no experiments of this commit yet: run one, for example `dvc exp run -S train.learning_rate=5e-5`"
    console.print(as_table(rows, changed))
    return ""


def read(shown: Sequence[Mapping[str, Any]]) -> list[Experiment]:
    """Rows of `dvc exp show --json`: commits first, then their experiments, oldest first, and the workspace last."""
    commits = [entry for entry in shown if entry["rev"] != _WORKSPACE]
    runs = [_row(run["revs"][0], run["executor"]) for entry in commits for run in entry["experiments"] or ()]
    last = (_QUEUED, _RUNNING)
    runs.sort(key=lambda run: (run.state in last, run.state == _QUEUED, run.created or ""))
    workspace = [entry for entry in shown if entry["rev"] == _WORKSPACE]
    return [*(_row(entry, None) for entry in commits), *runs, *(_row(entry, None) for entry in workspace)]


def differing(rows: Sequence[Experiment]) -> list[str]:
    """The keys of params.yaml, sorted, whose values differ between the rows that have any."""
    settings = [row.params for row in rows if row.params]
    keys = sorted({key for params in settings for key in params})
    absent = object()
    return [key for key in keys if any(params.get(key, absent) != settings[0].get(key, absent) for params in settings)]


def as_table(rows: Sequence[Experiment], changed: Sequence[str]) -> Table:
    """A row per experiment and a column per `changed` key."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("experiment", no_wrap=True)
    short = Counter(key.rpartition(".")[2] for key in changed)
    for key in changed:
        name = key.rpartition(".")[2]
        table.add_column(name if short[name] == 1 else key, justify="right", overflow="fold")
    table.add_column("base → tuned", no_wrap=True)
    table.add_column("gain (interval)")
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        values = [Text(_value(row.params[key]) if key in row.params else "") for key in changed]
        table.add_row(Text(row.name), *values, _scores(row), _gain(row), _verdict(row))
    return table


def _row(entry: Mapping[str, Any], executor: Mapping[str, Any] | None) -> Experiment:
    data = entry["data"] or {}
    state = (executor or {}).get("state")
    if state not in (_FAILED, _RUNNING, _QUEUED):
        state = _FAILED if entry["error"] else _FINISHED
    params = data.get("params", {}).get(paths.PARAMS.as_posix(), {}).get("data") or {}
    summary = data.get("metrics", {}).get(paths.SUMMARY.as_posix(), {}).get("data") or {}
    return Experiment(
        name=entry["name"] or (entry["rev"] if entry["rev"] == _WORKSPACE else entry["rev"][:7]),
        rev=entry["rev"],
        created=data.get("timestamp"),
        state=state,
        params=dict(_flat(params)),
        summary=summary if state == _FINISHED else {},  # a running one still has the summary of the commit
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _value(value: object) -> str:
    return "null" if value is None else str(value)


def _scores(row: Experiment) -> str:
    base, tuned = row.summary.get("base"), row.summary.get("tuned")
    return "" if base is None or tuned is None else f"{base:.3f} → {tuned:.3f}"


def _gain(row: Experiment) -> str:
    gain, low, high = (row.summary.get(name) for name in ("gain", "gain_low", "gain_high"))
    if gain is None:
        return ""
    return f"{gain:+.3f}" if low is None or high is None else f"{gain:+.3f} ({low:+.3f} to {high:+.3f})"


def _verdict(row: Experiment) -> str:
    return row.state if row.state != _FINISHED else row.summary.get("verdict", "not evaluated")
