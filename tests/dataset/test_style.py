"""Queries that show a style are in no test, and neither is what answers them."""

from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.runtime import paths
from stages.dataset.__main__ import work
from tests.dataset.workspace import Workspace


def test_an_example_its_answers_and_their_copies_leave_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Workspace()
    for number in range(40):
        passage = made.passage(f"d{number}.md", "A")
        made.query(passage)
    shown = made.passage("shown.md", "A")
    made.passage("copy.md", "A", text=shown[1], vector=shown[2])
    made.query(shown)
    made.ask("an example", "shown.md", "A", split="style")
    made.ask("about its copy", "copy.md", "A")
    made.ask("about another", "d0.md", "A")
    made.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    work()
    qrels = files.read_table(paths.QRELS)
    tested = {section for name, section in zip(qrels["set"], qrels["section"], strict=True) if name != "dev"}
    assert "d0.md#A" in tested
    assert not tested & {"shown.md#A", "copy.md#A"}
    assert {name for name, query in zip(qrels["set"], qrels["query_id"], strict=True) if query == "r000000"} == set()
    report = files.read_json(paths.DATASET_REPORT)
    assert report["real"] == {"test": 1, "dev": 0, "train": 0, "style": 2}
    assert "shown.md#a" in files.read_table(paths.TRAIN_IDS)["positive_id"]  # its generated query may teach
