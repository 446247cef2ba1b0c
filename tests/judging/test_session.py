"""Whose turn which query is, and the table that follows the journal."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.judging.journal import Journal
from fieldtune.judging.ranker import Ranker
from fieldtune.judging.session import Press, Refused, Session
from tests.judging.made_up import TOP, MadeUpSystems, passages

QUERIES = [f"number {n}" for n in range(1, 13)]
Opened = Callable[[], Session]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open a session over the files of a folder, as often as a test wants; the one before ends."""
    journals: list[Journal] = []
    ranker = Ranker(lambda: (passages(), MadeUpSystems(passages())), TOP)
    ranker.start()
    assert ranker.loaded.wait(10)

    def opened() -> Session:
        for journal in journals:
            journal.close()
        journals.append(Journal(tmp_path / "real.judgements.jsonl"))
        return Session(journals[-1], tmp_path / "real.jsonl", QUERIES, ranker, None)

    yield opened
    ranker.close()
    journals[-1].close()


def shown(session: Session, person: str) -> str:
    """The query on a person's screen once its passages are ranked."""
    while (view := session.view(person))["phase"] == "waiting":
        time.sleep(0.01)
    return str(view["query"]["key"]) if view["phase"] == "judging" else ""


def no_answer(session: Session, person: str) -> None:
    session.press(person, Press("unanswered", shown(session, person)))


def test_a_journal_that_is_ahead_of_the_table_is_caught_up_with_and_other_rows_are_not_judged_again(
    opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "real.jsonl").write_text('{"query": "NUMBER 2", "source": "guide.md"}\n')
    session = opened()
    no_answer(session, "ann")
    assert shown(session, "ann") == QUERIES[2]
    (tmp_path / "real.jsonl").unlink()  # as if the machine failed between the two files
    assert shown(opened(), "ann") == QUERIES[1]  # its row is gone, too
    (row,) = files.read_jsonl(tmp_path / "real.jsonl")
    assert (row["query"], row["answered"], len(row["judged"])) == (QUERIES[0], False, TOP)


def test_every_tenth_query_is_judged_by_two_people_and_no_other(opened: Opened) -> None:
    session = opened()
    assert (shown(session, "ann"), shown(session, "bob")) == (QUERIES[0], QUERIES[1])
    for _ in range(11):
        no_answer(session, "ann")
    assert shown(session, "ann") == ""  # all but bob's
    no_answer(session, "bob")
    assert shown(session, "bob") == QUERIES[9]
    no_answer(session, "bob")
    assert shown(session, "bob") == ""
    assert shown(session, "eve") == ""
    assert session.counts()["judged"] == 12


def test_a_query_that_was_begun_comes_first_after_a_restart_and_another_window_cannot_judge_it_twice(
    opened: Opened, tmp_path: Path
) -> None:
    session = opened()
    session.press("ann", Press("skip", shown(session, "ann")))
    view = session.view("ann")
    assert shown(session, "ann") == QUERIES[1]
    candidates = session.view("ann")["candidates"]
    first = candidates[0]["id"]
    pool = sorted("guide.md#" + each["path"][-1] for each in candidates)
    session.press("ann", Press("judge", QUERIES[1], first, 1))
    again = opened()
    assert shown(again, "ann") == QUERIES[1]
    assert again.view("ann")["candidates"][0]["relevance"] == 1
    with pytest.raises(Refused, match="answers it at least in part"):
        again.press("ann", Press("unanswered", QUERIES[1]))
    again.press("ann", Press("finish", QUERIES[1]))
    (row,) = files.read_jsonl(tmp_path / "real.jsonl")
    assert row["judged"][0] == f"guide.md#{row['section']}"
    assert sorted(row["judged"]) == pool
    shown(again, "ann")
    with pytest.raises(Refused, match="another window"):
        again.press("ann", Press("finish", QUERIES[1]))
    assert view["counts"]["skipped"] == 1


def test_undo_goes_back_one_press_after_the_other(opened: Opened, tmp_path: Path) -> None:
    session = opened()
    no_answer(session, "ann")
    no_answer(session, "ann")
    session.press("ann", Press("undo"))
    assert shown(session, "ann") == QUERIES[1]
    session.press("ann", Press("undo"))
    assert shown(session, "ann") == QUERIES[0]
    assert (tmp_path / "real.jsonl").read_text() == ""
    with pytest.raises(Refused, match="nothing to undo"):
        session.press("ann", Press("undo"))
