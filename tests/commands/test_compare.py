"""`fieldtune compare` in a real repository of git and DVC: which queries are compared, and what is said of them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldtune.commands import cli, compare
from fieldtune.corpus import files
from fieldtune.retrieval.systems import SYSTEMS
from fieldtune.runtime import paths
from fieldtune.runtime.console import console
from stages.evaluate import bootstrap
from stages.evaluate.query_keys import hash_test_set, query_key
from tests.pipeline.repository import commit, dvc, git

pytestmark = pytest.mark.pipeline


def per_query(**changes: Any) -> dict[str, list[Any]]:
    """Forty queries in pairs of one group; of the tuned model all are .5."""
    table: dict[str, list[Any]] = {
        "query": [f"query {n}" for n in range(40)],
        "sets": [["real", "real_hard"] if n % 4 == 0 else ["real"] for n in range(40)],
        "kind": ["real"] * 40,
        "answers": [[f"d#{n}"] for n in range(40)],
        "group": [n // 2 for n in range(40)],
    }
    table |= {f"{system}_ndcg@10": [0.5] * 40 for system in SYSTEMS}
    return {**table, **changes}


# Of 40 tuned ones the first six better, the last three worse; one has other answers, one is new.
NOW = per_query(
    **{
        "query": [*(f"query {n}" for n in range(39)), "a new one"],
        "answers": [*([f"d#{n}"] for n in range(38)), ["d#other"], ["d#39"]],
        "tuned_ndcg@10": [1.0, 0.9, 0.9, 0.8, 0.7, 0.6, *[0.5] * 29, 0.4, 0.3, 0.2, 0.9, 0.9],
    }
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    dvc(folder, "init", "--quiet")
    first = per_query()
    del first["bm25_fields_ndcg@10"]  # the first commit is from before this system
    for name, table in (("first", first), ("second", NOW)):
        files.write_table(folder / paths.PER_QUERY, table)
        dvc(folder, "add", "--quiet", str(paths.PER_QUERY))
        commit(folder, name)
        git(folder, "tag", name)
    git(folder, "rm", "--quiet", f"{paths.PER_QUERY}.dvc")
    commit(folder, "without")
    return folder


def test_two_commits(team: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 120)
    cli.main(["compare", "first", "second", "--top", "2"])
    printed = capsys.readouterr().out
    lines = [
        [cell.strip() for cell in line.strip("│ ").split("│")] for line in printed.splitlines() if line.startswith("│")
    ]
    # (.5 + .4 + .4 + .3 + .2 + .1 - .1 - .2 - .3) / 38 = 1.3 / 38; of the hard ones .5 + .2 - .1 of places 0, 4, 36
    assert lines[0][:5] == ["real (38)", "tuned", "0.500", "0.534", "+0.034"]
    assert [line[0] for line in lines[:2]] == ["real (38)", "real_hard (10)"]
    change = np.array(NOW["tuned_ndcg@10"][:38]) - 0.5
    groups = np.arange(38) // 2
    drawn = bootstrap.means(change[None], groups, 10_000, 0)[0]
    gain = bootstrap.interval(change.mean(), drawn, 0.95, 19, (-1.0, 1.0))
    assert lines[0][5] == f"{gain.low:+.3f} to {gain.high:+.3f}"
    assert lines[2:] == [
        ["query 0", "0.500", "1.000"],
        ["query 1", "0.500", "0.900"],
        ["query 37", "0.500", "0.200"],
        ["query 36", "0.500", "0.300"],
    ]
    assert "38 queries in both: tuned better on 6, worse on 3" in printed
    first, second = (hash_test_set(map(query_key, table["query"], table["answers"])) for table in (per_query(), NOW))
    assert first != second
    assert (
        f"real queries: the test sets differ: first has 40 queries ({first}), second has 40 queries ({second}); "
        "the 38 queries in both are compared\n"
    ) in printed
    assert "generated" not in printed


def test_the_files_that_are_there_now(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.write_table(paths.PER_QUERY, per_query())
    cli.main(["compare", "first"])
    printed = capsys.readouterr().out
    assert "40 queries in both: tuned better on 0, worse on 0" in printed
    assert "real queries: the same test set, 40 queries (" in printed
    assert "differ," not in printed


def test_a_query_is_the_same_whatever_its_row_case_and_kind() -> None:
    """A query that is added moves all others; a generated query and a typed one are never one query."""
    old = per_query(sets=[["real"]] * 20 + [["synthetic"]] * 20, kind=["real"] * 20 + ["task"] * 20)
    new = {name: [column[39], *column] for name, column in old.items()}
    new["query"] = ["added", *(f"Query  {n}" for n in range(40))]
    new["kind"] = ["styled"] * 41
    new["sets"][30] = ["real"]  # query 29, a generated one before
    assert compare.shared(old, new) == [(n, n + 1) for n in range(40) if n != 29]
    typed, generated = compare.describe_test_sets(
        old, new, compare.select_rows(new, [row for _, row in compare.shared(old, new)]), ("A", "B")
    )
    assert re.fullmatch(
        r"real queries: .* A has 20 queries \(.*\), B has 21 queries \(.*\); the 20 queries in both.*", typed
    )
    assert re.fullmatch(
        r"generated .* A has 20 queries \(.*\), B has 20 queries \(.*\); the 19 queries in both.*", generated
    )


def test_a_test_set_that_one_of_the_two_lacks() -> None:
    real, both = per_query(), per_query(sets=[["real"]] * 20 + [["synthetic"]] * 20)
    common = compare.select_rows(both, range(20))
    generated = hash_test_set(map(query_key, both["query"][20:], both["answers"][20:]))
    assert compare.describe_test_sets(real, both, common, ("A", "B"))[1] == (
        f"generated queries, held out: the test sets differ: A has none, B has 20 queries ({generated}); no query is "
        "in both"
    )


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["nowhere"], "nowhere is not a revision of this repository"),
        (["main", "first"], "main has no data/evaluation/per_query.parquet"),
        (["first"], "per_query.parquet not found: run `dvc repro`"),
    ],
)
def test_what_cannot_be_compared_is_said(
    team: Path, arguments: list[str], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths.PER_QUERY.unlink(missing_ok=True)
    with pytest.raises(SystemExit, match="1"):
        cli.main(["compare", *arguments])
    assert printed in capsys.readouterr().out


def test_too_few_groups_have_no_interval(
    team: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "width", 120)
    files.write_table(paths.PER_QUERY, {**NOW, "group": [n // 20 for n in range(40)]})
    cli.main(["compare", "first"])
    printed = capsys.readouterr().out
    assert "95% interval" in printed
    assert re.search(r"real \(38\) +│ tuned +│ 0.500 │ 0.534 │ +\+0.034 │ too few groups", printed)
    assert "1.000 to" not in printed
    # 38 of the 40, of which the first 20 are one group and the others another
    assert "; too few for an interval: 2 groups of queries, and it needs 6" in " ".join(printed.split())


def test_what_the_cache_does_not_have_is_said_with_what_brings_it(
    team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(team / ".dvc/cache")
    with pytest.raises(SystemExit, match="1"):
        cli.main(["compare", "first"])
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(
        "✗ first: its data/evaluation/per_query.parquet is not in the local DVC cache: run `dvc fetch"
    )
    assert "target repository" not in printed


def test_nothing_in_common(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.write_table(paths.PER_QUERY, per_query(query=[f"other {n}" for n in range(40)]))
    with pytest.raises(SystemExit, match="1"):
        cli.main(["compare", "first"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "; no query is in both" in printed
    assert "no test query with the same answers in common" in printed


def test_the_repository_is_left_as_it_was(team: Path) -> None:
    before = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    compare.read("first")
    after = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    assert before == after
