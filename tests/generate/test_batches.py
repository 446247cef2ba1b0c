"""Message Batches: cut at the limits, attached again by id, only what is missing submitted again, at half the price."""

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from fieldtune.corpus import files
from tests.generate import fake_anthropic
from tests.generate.fake_anthropic import Fake
from tests.generate.workspace import configure, covered, outputs, passages, prepare, report, run, start


def ready(folder: Path, server: Fake, numbers: range, **messages: object) -> None:
    prepare(folder, server.url, numbers, way="claude_batch", **messages)


def kill_when(folder: Path, query: str) -> None:
    """Start the stage and kill it as soon as the store answers `query` with something."""
    process = start(folder)
    deadline = time.monotonic() + 120  # a busy machine starts a process in half a minute
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        try:
            with sqlite3.connect(f"file:{folder}/.fieldtune/replies.sqlite?mode=ro", uri=True) as database:
                if database.execute(query).fetchone():
                    break
        except sqlite3.OperationalError:  # not there yet
            pass
        time.sleep(0.01)
    else:
        process.kill()
        pytest.fail(f"it never came to that: {process.communicate()[0]}")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_batches_are_cut_at_both_limits_and_cost_half(server: Fake, tmp_path: Path) -> None:
    ready(tmp_path, server, range(25), batch={"requests": 10, "megabytes": 64, "poll": 0.05})
    run(tmp_path)
    stats = server.stats()
    assert stats.batches == [10, 10, 5]
    assert covered(tmp_path) == {passage["id"]: 4 for passage in passages(range(25))}
    cost = files.read_json(tmp_path / "data/queries/cost.json")["claude-haiku-5-5"]
    assert cost["cost_usd"] == pytest.approx(stats.input_tokens * 0.05e-6 + stats.output_tokens * 0.25e-6, abs=25e-9)

    other = tmp_path / "other"
    ready(other, server, range(25), batch={"requests": 10_000, "megabytes": 0.02, "poll": 0.05})
    run(other)
    assert sum(server.stats().batches[3:]) == 25
    # A request is a little over 2 kB: the system prompt and the schema are in each.
    assert 5 <= max(server.stats().batches[3:]) <= 10


def test_one_by_one_and_in_batches_share_their_replies(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(10), way="claude")
    run(tmp_path)
    first = outputs(tmp_path)
    ready(tmp_path, server, range(10))
    run(tmp_path)
    assert server.stats().batches == []
    assert outputs(tmp_path)["queries.jsonl"] == first["queries.jsonl"]
    ready(tmp_path, server, range(14))
    run(tmp_path)
    assert server.stats().batches == [4]


def test_a_run_killed_while_it_waits_attaches_again_by_id(server: Fake, tmp_path: Path) -> None:
    server.control(batch_seconds=2)
    ready(tmp_path, server, range(30), batch={"requests": 20, "poll": 0.1})
    kill_when(tmp_path, "SELECT 1 FROM batches WHERE number = 2 AND id IS NOT NULL")
    run(tmp_path)
    stats = server.stats()
    assert stats.batches == [20, 10]
    assert set(stats.billed.values()) == {1}
    assert len(covered(tmp_path)) == 30
    assert report(tmp_path)["claude_requests_lost"] == 0


@pytest.mark.parametrize("arrived", [True, False])
def test_a_run_killed_before_it_knew_the_id_finds_its_batch_if_it_arrived(
    arrived: bool, server: Fake, tmp_path: Path
) -> None:
    # The reply with the id is cut, or the server takes nothing: the run keeps on trying until it is killed.
    down = [{"do": "status", "status": 500}]
    server.control(hide_batch_ids=arrived, batch_seconds=1.5, faults=[] if arrived else down)
    ready(tmp_path, server, range(12), backoff=30)
    kill_when(tmp_path, "SELECT 1 FROM batches" if not arrived else "SELECT 1 FROM reservations")
    if arrived:
        wait_for_batches(server, 1, tmp_path)
    server.control(batch_seconds=0.2)
    configure(tmp_path, server.url, way="claude_batch")
    run(tmp_path)
    stats = server.stats()
    assert stats.batches == [12]
    assert set(stats.billed.values()) == {1}
    assert len(covered(tmp_path)) == 12


def wait_for_batches(server: Fake, count: int, folder: Path) -> None:
    """The kill may have come before the request was sent: then a second run sends it, and is killed too."""
    if len(server.stats().batches) < count:
        process = start(folder)
        while len(server.stats().batches) < count:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.communicate()


def test_a_batch_that_is_listed_late_is_not_submitted_twice(server: Fake, tmp_path: Path) -> None:
    server.control(hide_batch_ids=True, unlisted=3)
    ready(tmp_path, server, range(12))
    run(tmp_path)
    assert server.stats().batches == [12]
    assert set(server.stats().billed.values()) == {1}


def test_a_batch_of_which_nothing_is_heard_is_found_by_the_next_run(server: Fake, tmp_path: Path) -> None:
    server.control(hide_batch_ids=True, unlisted=1000)
    ready(tmp_path, server, range(12), attempts=1)
    output = run(tmp_path, code=1)
    assert "in 1 attempts (the connection broke); if it was taken all the same, the next run finds it" in output
    server.control()
    run(tmp_path)
    assert server.stats().batches == [12]
    assert set(server.stats().billed.values()) == {1}


def test_a_batch_of_another_program_is_not_taken_for_the_lost_one(server: Fake, tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "folder"
    ready(other, server, range(100, 112))
    run(other)
    server.control(faults=[{"do": "status", "status": 500, "times": 1}])
    ready(folder, server, range(12))
    run(folder)
    assert server.stats().batches == [12, 12]
    assert covered(folder) == {passage["id"]: 4 for passage in passages(range(12))}


def test_only_what_expired_or_failed_is_submitted_again(server: Fake, tmp_path: Path) -> None:
    faults = [
        *({"do": "expired", "times": 1, "match": f"Part {number}\n"} for number in range(10, 13)),
        *({"do": "errored", "times": 1, "match": f"Part {number}\n"} for number in range(13, 15)),
        {"do": "refusal", "times": 1, "match": "Part 15\n"},  # billed, and asked for once more
    ]
    server.control(faults=faults)
    ready(tmp_path, server, range(30))
    run(tmp_path)
    stats = server.stats()
    assert stats.batches == [30, 6]
    assert stats.billed.total() == 31
    assert len(covered(tmp_path)) == 30


def test_a_batch_that_a_person_cancels_ends_the_stage_and_is_submitted_again_by_the_next_run(
    server: Fake, tmp_path: Path
) -> None:
    server.control(faults=[{"do": "canceled", "match": f"Part {number}\n"} for number in range(10, 13)])
    ready(tmp_path, server, range(30))
    output = run(tmp_path, code=1)
    assert "a batch was canceled, and is not sent again in this run. 27 of 30 passages have their queries" in output
    assert server.stats().batches == [30]
    server.control()
    run(tmp_path)
    assert server.stats().batches == [30, 3]
    assert set(server.stats().billed.values()) == {1}


def test_what_fails_in_every_batch_is_given_up_with_its_reason(server: Fake, tmp_path: Path) -> None:
    faults = [
        {"do": "expired", "match": "Part 1\n"},
        {"do": "errored", "error": "invalid_request_error", "match": "Part 2\n"},
    ]
    server.control(faults=faults)
    ready(tmp_path, server, range(100))
    run(tmp_path)
    assert server.stats().batches == [100, 1, 1]
    counts = report(tmp_path)
    assert counts["claude_passages_without_queries"] == 2
    assert counts["claude_without_queries: no reply in 3 batches (expired)"] == 1
    assert counts["claude_without_queries: the server takes no such request"] == 1


def test_a_budget_below_one_batch_is_spent_in_smaller_ones_and_never_passed(server: Fake, tmp_path: Path) -> None:
    ready(tmp_path, server, range(40), budget_usd=0.005)
    run(tmp_path)
    stats = server.stats()
    assert len(stats.batches) > 1
    assert sum(stats.batches) == 40
    assert stats.input_tokens * 0.05e-6 + stats.output_tokens * 0.25e-6 <= 0.005

    ready(tmp_path, server, range(200), budget_usd=0.003)
    assert "the budget is reached" in run(tmp_path, code=1)
    stats = server.stats()
    assert 0.0025 < stats.input_tokens * 0.05e-6 + stats.output_tokens * 0.25e-6 <= 0.003


def test_one_by_one_waits_for_a_batch_that_already_has_the_passages(server: Fake, tmp_path: Path) -> None:
    server.control(batch_seconds=1.5)
    ready(tmp_path, server, range(10))
    kill_when(tmp_path, "SELECT 1 FROM batches WHERE id IS NOT NULL")
    prepare(tmp_path, server.url, range(12), way="claude")
    assert "batch msgbatch_0 of an earlier run has 10 requests: waiting for it" in run(tmp_path)
    assert server.stats().requests == 2
    assert set(server.stats().billed.values()) == {1}
    assert len(covered(tmp_path)) == 12


def test_a_batch_whose_results_are_gone_is_bought_anew_and_counted_as_lost(server: Fake, tmp_path: Path) -> None:
    server.control(batch_seconds=30)
    ready(tmp_path, server, range(10))
    kill_when(tmp_path, "SELECT 1 FROM batches WHERE id IS NOT NULL")
    with fake_anthropic.running() as another:
        configure(tmp_path, another.url, way="claude_batch")
        assert f"was submitted to {server.url}: set messages.base_url" in run(tmp_path, code=1)
    server.control(forget_batches=True)
    configure(tmp_path, server.url, way="claude_batch")
    assert "batch msgbatch_0 is no longer there" in run(tmp_path)
    assert len(covered(tmp_path)) == 10
    assert report(tmp_path)["claude_requests_lost"] == 10
