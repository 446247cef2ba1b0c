"""The journal on disk: whole lines, one writer, no damage that goes unseen."""

from pathlib import Path

import pytest

from fieldtune.judging.journal import Event, Journal
from fieldtune.runtime.errors import UserError

EVENTS = [
    Event("ann", "judge", "größe", "a.md", "A", "a.md#a", 0),
    Event("ann", "undo"),
    Event("ann", "unanswered", "größe", rest=["a.md#B"]),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made/real.judgements.jsonl"


def written(path: Path) -> None:
    journal = Journal(path)
    for event in EVENTS:
        journal.append(event)
    journal.close()


def test_what_is_appended_is_read_again(path: Path) -> None:
    written(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == (
        '{"person": "ann", "action": "judge", "query": "größe", "source": "a.md", "section": "A", '
        '"passage_id": "a.md#a", "relevance": 0}'
    )
    assert lines[1] == '{"person": "ann", "action": "undo"}'
    journal = Journal(path)
    assert journal.events == EVENTS
    journal.close()


def test_a_line_without_its_end_goes_and_the_next_one_is_whole(path: Path) -> None:
    written(path)
    with path.open("ab") as file:
        file.write(b'{"person": "ann", "act')
    journal = Journal(path)
    assert journal.events == EVENTS
    journal.append(EVENTS[1])
    journal.close()
    assert len(path.read_bytes().splitlines()) == 4
    again = Journal(path)
    assert again.events == [*EVENTS, EVENTS[1]]
    again.close()


def test_a_full_disk_adds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path)
    before = path.read_bytes()
    journal = Journal(path)
    with monkeypatch.context() as patched:

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.append(EVENTS[0])
    assert path.read_bytes() == before
    assert journal.events == EVENTS
    journal.append(EVENTS[0])
    journal.close()
    assert path.read_bytes().startswith(before)


def test_one_process_writes_and_one_in_which_nothing_was_pressed_leaves_no_file(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(UserError, match="in use by another `fieldtune judge`"):
        Journal(path)
    journal.close()
    assert not path.exists()


@pytest.mark.parametrize(
    "line",
    [
        '{"query": "q"}',
        '{"person": "a", "action": "guess"}',
        '{"person": "a", "action": "judge", "relevance": 3}',
        "[]",
    ],
)
def test_a_line_of_somebody_else_is_named(path: Path, line: str) -> None:
    written(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserError, match="line 4"):
        Journal(path)
