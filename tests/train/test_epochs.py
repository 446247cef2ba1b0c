"""The number of epochs, if the settings leave it to the training queries."""

from dataclasses import replace
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime import paths
from stages.train.tuning import with_epochs
from tests.train.workspace import train_config


@pytest.mark.parametrize(
    ("kinds", "epochs"),
    [
        (["styled"] * 6 + ["keyword"] * 4, 3),
        (["styled"] * 5 + ["keyword"] * 5, 1),  # half is not most
        (["own"] * 2 + ["task"], 3),
        (["task", "question", "keyword", "problem"], 1),
    ],
)
def test_queries_that_people_typed_or_that_imitate_them_are_worth_three_epochs(
    kinds: list[str], epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_jsonl(paths.QUERIES, ({"query": "x", "kind": kind} for kind in kinds))
    files.write_table(paths.TRAIN_IDS, {"query_id": [f"q{row:06d}" for row in range(len(kinds))]})
    unset = replace(train_config(), epochs=None)
    assert with_epochs(unset).epochs == epochs
    assert with_epochs(replace(unset, epochs=2.5)).epochs == 2.5


def test_real_queries_count_as_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_jsonl(paths.QUERIES, [{"query": "x", "kind": "task"}])
    files.write_table(paths.TRAIN_IDS, {"query_id": ["q000000", "r000000", "r000001"]})
    assert with_epochs(replace(train_config(), epochs=None)).epochs == 3
