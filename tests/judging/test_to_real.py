"""What the page writes, with the splits that `--split` proposes, as the stage `real` reads it."""

import shutil
import time
from pathlib import Path

import pytest

from fieldtune.commands import cli
from fieldtune.corpus import files, real_queries
from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.session import Press, Session, View
from fieldtune.runtime import paths
from stages.real.__main__ import work
from tests.imports import ROOT
from tests.judging.made_up import TOP, MadeUpSystems, passages

FULL = [f"what is number {n}" for n in (3, 6, 9, 12)]
PARTLY, PART_TOO = "which is number 15", "about number 18"
NOWHERE = [f"where is the {thing}" for thing in ("lamp", "door", "vent", "pump", "fan")]


def judging(session: Session) -> View:
    while (view := session.view("me"))["phase"] == "waiting":
        time.sleep(0.01)
    return view


def judge(session: Session) -> dict[str, list[str]]:
    """Judge all queries; the sections that were shown for each."""
    shown = {}
    while (view := judging(session))["phase"] == "judging":
        query, (first, second, *_) = view["query"]["key"], view["candidates"]
        shown[query] = [f"guide.md#{candidate['path'][-1]}" for candidate in view["candidates"]]
        grades = {PARTLY: [1], PART_TOO: [2, 1]}.get(query, [2] if query in FULL else [])
        for candidate, relevance in zip((first, second), grades, strict=False):
            session.press("me", Press("judge", query, candidate["id"], relevance))
        session.press("me", Press("finish" if grades else "unanswered", query))
    return shown


def test_grades_sections_that_were_judged_and_splits_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    more = ({"document": row["source"], "section_sha256": row["id"]} for row in passages())
    files.write_jsonl(paths.PASSAGES, ({**row, **rest} for row, rest in zip(passages(), more, strict=True)))
    Path("docs").mkdir()
    files.write_text(Path("params.yaml"), "documents: docs\nqueries: real.jsonl\n")
    files.write_text(Path("data/config/real.yaml"), "documents: docs\nqueries: real.jsonl\nstyle: none.yaml\n")
    files.write_text(paths.NONE, "\n")
    files.write_text(Path("none.yaml"), "")
    shutil.copy(ROOT / "data/config/dataset.yaml", "data/config")
    ranker = Ranker(lambda: (passages(), MadeUpSystems(passages())), TOP)
    ranker.start()
    journal = Journal(Path("real.judgements.jsonl"))
    shown = judge(Session(journal, Path("real.jsonl"), [*FULL, PARTLY, PART_TOO, *NOWHERE], ranker, None))
    ranker.close()
    journal.close()

    cli.main(["judge", "--split", "--yes"])
    said = work()
    read = {each.query: each for each in real_queries.read()}
    assert set(read) == {*FULL, PART_TOO}
    assert {each.split for each in read.values()} == {"test"}
    for query, each in read.items():
        assert each.judged == sorted(shown[query])  # with those that Enter settled
        assert each.sections == shown[query][:1]
    assert read[PART_TOO].graded == {shown[PART_TOO][0]: 1, shown[PART_TOO][1]: 0.5}
    log = {row["query"]: row.get("answered") for row in files.read_jsonl(paths.REAL_LOG)}
    assert log == {**dict.fromkeys(NOWHERE, False), PARTLY: None}
    assert said.startswith("5 real queries with answers (5 test); 6 without an answer, 5 of them not answered")
    of_table = {row["query"]: row.get("split") for row in files.read_jsonl(Path("real.jsonl"))}
    assert {of_table[query] for query in NOWHERE} == {"style"}
