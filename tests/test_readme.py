"""The README against the repository: its numbers, its commands, its files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TIERS
from tests.imports import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every line of the README's shell blocks, without its comment."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def not_run() -> set[str]:
    lines = (ROOT / "tests/not_run.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition(" | ")[0] for line in lines if not line.startswith("#")}


def in_ci() -> list[str]:
    return (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()


def test_what_is_said_not_to_run_stands_in_the_readme() -> None:
    assert not_run() <= set(commands())


def test_ci_runs_the_commands_that_install_and_test() -> None:
    assert "python -m venv .venv && . .venv/bin/activate" in commands()
    assert "python -m venv .venv && . .venv/bin/activate" in in_ci()
    install, _, units = next(line for line in commands() if "[test]" in line).partition(" && ")
    assert install == "pip install -e '.[test]'"
    assert any(
        line.startswith("pip install") and line.endswith(install.removeprefix("pip install")) for line in in_ci()
    )
    rest = [line for line in commands() if line.startswith("pytest") and line not in not_run()]
    assert [units, *rest] == ["pytest", *(f"pytest -m {tier}" for tier in TIERS)]
    assert [line for line in in_ci() if line.startswith("pytest")] == [units, *rest]


def table() -> dict[str, list[str]]:
    block = re.search(r"<!-- sample:.*?-->\n(.*?)<!-- /sample -->", README, flags=re.DOTALL)
    assert block
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block[1].strip().splitlines()[2:]]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("real queries ({n})", "real"),
        ("hard real queries ({n})", "real_hard"),
        ("generated queries, held out ({n})", "synthetic"),
    ],
)
def test_the_numbers_of_the_sample_are_those_of_the_last_run(label: str, name: str) -> None:
    scores: dict[str, Any] = json.loads((ROOT / "data/evaluation/metrics.json").read_text())[name]
    systems = [scores[system]["ndcg@10"] for system in ("base", "bm25", "hybrid", "tuned", "tuned_hybrid")]
    gain = scores["gain"]["vs_base"]["ndcg@10"]
    expected = [
        *(f"{score:.3f}" for score in systems),
        f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})",
    ]
    assert table()[label.format(n=f"{scores['n']:,}")] == expected


def test_every_place_that_the_tree_names_is_there() -> None:
    tree = README[README.index("## What is where") : README.index("## Tests")]
    for line in tree.splitlines():
        if match := re.match(r"([\w./<>*-]+) {2,}\S", line):
            name = match[1]
            if name != ".fieldtune/":
                assert list(Path(ROOT).glob(re.sub(r"<\w+>", "*", name).rstrip("/"))), name
