"""`fieldtune experiments` on rows recorded from `dvc exp show --json`: finished, failed, running and queued ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fieldtune.commands import cli
from fieldtune.commands.experiments import differing, read
from fieldtune.runtime.console import console
from fieldtune.runtime.errors import UserError

RECORDED = Path(__file__).with_name("exp_show.json")
NAMES = ["main", "wacky-leks", "sunny-corm", "frore-gonk", "xeric-bate", "ebony-iota", "workspace"]
Shown = list[dict[str, Any]]
Run = Callable[..., str]


@pytest.fixture
def shown() -> Shown:
    rows: Shown = json.loads(RECORDED.read_text())
    return rows


@pytest.fixture
def run(shown: Shown, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, at a terminal of 100 columns, on what `shown` is by then."""

    def run_dvc(*arguments: str) -> str:
        assert arguments == ("exp", "show", "--json")
        return json.dumps(shown)

    def command(*arguments: str) -> str:
        cli.main(["experiments", *arguments])
        return capsys.readouterr().out

    monkeypatch.setattr("fieldtune.commands.experiments.run_dvc", run_dvc)
    monkeypatch.setattr(console, "width", 100)
    return command


def spaced(line: str) -> str:
    """A line of the table with one blank between its words."""
    return " ".join(line.split())


def test_a_line_for_each_newest_last_in_100_columns(run: Run) -> None:
    header, *lines = run().splitlines()
    assert spaced(header) == "experiment epochs learning_rate temperature base → tuned gain (interval) verdict"
    assert [line.split()[0] for line in lines] == NAMES
    assert max(map(len, [header, *lines])) <= 100
    assert spaced(lines[0]) == "main 30 0.003 0.068 → 0.085 +0.017 (-0.049 to +0.082) keep_base"
    assert spaced(lines[2]) == "sunny-corm 30 0.0005 0.03 0.068 → 0.068 +0.000 (+0.000 to +0.000) keep_base"


def test_those_without_results_have_a_state_and_not_the_scores_of_their_commit(run: Run) -> None:
    lines = {line.split()[0]: line.split()[1:] for line in run().splitlines()[1:]}
    assert lines["frore-gonk"] == ["-1", "0.0005", "0.03", "failed"]
    assert lines["xeric-bate"] == ["10", "0.0005", "0.03", "running"]
    assert lines["ebony-iota"] == ["20", "0.0005", "0.03", "queued"]


def test_json_has_whole_numbers_and_names(run: Run, shown: Shown) -> None:
    rows = json.loads(run("--json"))
    assert [row["name"] for row in rows] == NAMES
    assert rows[1] == {
        "name": "wacky-leks",
        "rev": "89065c68f8fd39dcd2da4f800a71e85bed883fee",
        "created": "2026-11-29T15:17:32",
        "state": "finished",
        "params": {"train.epochs": 30, "train.learning_rate": 0.0005},
        "summary": shown[0]["data"]["metrics"]["data/evaluation/summary.json"]["data"],
    }
    assert rows[4]["summary"] == {}


@pytest.mark.parametrize("none", [None, []])
def test_no_experiments_is_one_sentence(run: Run, shown: Shown, none: object) -> None:
    shown[1]["experiments"] = none
    assert (
        run() == "no experiments of this commit yet: run one, for example `dvc exp run -S train.learning_rate=5e-5`\n"
    )
    assert [row["name"] for row in json.loads(run("--json"))] == ["main", "workspace"]


def test_a_commit_on_no_branch_before_its_evaluation_and_a_gain_without_interval(run: Run, shown: Shown) -> None:
    shown[1]["name"] = None
    shown[1]["data"]["metrics"] = {}
    summary = shown[0]["data"]["metrics"]["data/evaluation/summary.json"]["data"]
    summary |= {"gain_low": None, "gain_high": None}
    lines = run().splitlines()
    assert lines[1].split() == ["6394f8d", "30", "0.003", "not", "evaluated"]
    assert spaced(lines[-1]) == "workspace 30 0.0005 0.03 0.068 → 0.068 +0.000 keep_base"


def test_keys_that_end_alike_are_written_out_and_null_is_a_value(run: Run, shown: Shown) -> None:
    params = shown[0]["data"]["params"]["params.yaml"]["data"]
    params["dataset"] = {"temperature": None}
    assert differing(read(shown)) == [
        "dataset.temperature", "train.epochs", "train.learning_rate", "train.temperature"
    ]  # fmt: skip
    assert " null " in run()
    shown[1]["data"] = None  # DVC could not read it
    shown[1]["error"] = {"msg": "broken", "type": "DvcException"}
    assert "train.batch_size" not in differing(read(shown))
    assert ["main", "failed"] in [line.split() for line in run().splitlines()]


def test_what_dvc_cannot_list_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: str) -> str:
        raise UserError("`dvc exp show --json` failed: you are not inside of a DVC repository")

    monkeypatch.setattr("fieldtune.commands.experiments.run_dvc", fails)
    with pytest.raises(SystemExit, match="1"):
        run()
