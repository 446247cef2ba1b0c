"""The stage against a server that speaks the API and misbehaves: what is bought, what is paid, what is said."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fieldtune.corpus import files
from fieldtune.runtime import paths
from tests.generate import workspace
from tests.generate.fake_anthropic import Fake, queries_for
from tests.generate.workspace import KEY, SECRET, configure, covered, outputs, passages, prepare, report, run, store


def test_every_passage_gets_the_queries_that_the_model_wrote_for_it(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(20))
    output = run(tmp_path)
    assert "20 passages: 0 in the store, 20 to ask for; about " in output
    assert "80 queries for 20 of 20 passages" in output
    expected = []
    for passage in passages(range(20)):
        user = f"Doc: {passage['title']}\n{passage['text']}"
        expected += [{"passage_id": passage["id"], **query, "provider": "claude"} for query in queries_for(user)]
    written = list(files.read_jsonl(tmp_path / paths.QUERIES))
    assert [{k: row[k] for k in ("passage_id", "kind", "query", "provider")} for row in written] == expected
    assert server.stats().keys == [KEY]


def test_cost_is_tokens_times_price(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(10))
    run(tmp_path)
    stats = server.stats()
    # $0.10 per million tokens in, $0.50 out
    assert files.read_json(tmp_path / "data/queries/cost.json") == {
        "claude-haiku-5-5": {
            "input_tokens": stats.input_tokens,
            "output_tokens": stats.output_tokens,
            "cost_usd": pytest.approx(stats.input_tokens * 0.10e-6 + stats.output_tokens * 0.50e-6, abs=1e-9),
        }
    }


def test_a_second_run_buys_nothing_and_writes_the_same_bytes(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(10))
    run(tmp_path)
    first = outputs(tmp_path)
    assert "10 in the store, 0 to ask for: nothing to pay" in run(tmp_path)
    assert outputs(tmp_path) == first
    assert server.stats().requests == 10


def test_only_what_is_new_is_asked_for(server: Fake, tmp_path: Path) -> None:
    def requests() -> int:
        run(tmp_path)
        return server.stats().requests

    prepare(tmp_path, server.url, range(10))
    assert requests() == 10
    prepare(tmp_path, server.url, range(13))  # three more passages
    assert requests() == 13
    moved = [{**p, "id": f"new/{p['id']}", "source": "new/doc.md"} for p in reversed(passages(range(13)))]
    files.write_jsonl(tmp_path / paths.PASSAGES, moved)  # renamed and in another order
    assert requests() == 13
    twice = [*moved, {**moved[0], "id": "copy.md#part"}]  # the same title and text twice
    files.write_jsonl(tmp_path / paths.PASSAGES, twice)
    assert requests() == 13
    assert covered(tmp_path)["copy.md#part"] == 4
    for free in ({"max_concurrency": 3}, {"budget_usd": 4}, {"timeout": 9}, {"failed_share": 0.1}):
        configure(tmp_path, server.url, **free)
        assert requests() == 13
    configure(tmp_path, server.url, system="Another prompt: {count} queries like\n{examples}")
    assert requests() == 26
    configure(tmp_path, server.url)  # back to the earlier one
    assert requests() == 26
    configure(tmp_path, server.url, model="claude-other", prices={"claude-other": {"input": 1, "output": 1}})
    assert requests() == 39


RETRY = {"do": "status", "status": 429, "retry_after": 1}
FAULTS: dict[str, tuple[dict[str, Any], int, int]] = {  # the fault, 5 times; replies billed for nothing; lost requests
    "rate limit": ({"do": "status", "status": 429}, 0, 0),
    "rate limit with retry-after": (RETRY, 0, 0),
    "server error": ({"do": "status", "status": 500}, 0, 0),
    "overloaded": ({"do": "status", "status": 529}, 0, 0),
    "slow": ({"do": "slow", "seconds": 5}, 5, 5),
    "cut": ({"do": "cut"}, 5, 5),
    "malformed": ({"do": "malformed"}, 5, 5),
    "no message": ({"do": "odd"}, 5, 5),
    "refusal": ({"do": "refusal"}, 5, 0),
    "truncated": ({"do": "truncated"}, 5, 0),
    "half of a character": ({"do": "say", "text": "\ud83d"}, 5, 0),
    "no JSON": ({"do": "say", "text": "I would rather not."}, 5, 0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes_costs_no_passage_its_queries(name: str, server: Fake, tmp_path: Path) -> None:
    fault, for_nothing, lost = FAULTS[name]
    # One passage each, so that none has the same fault twice.
    server.control(faults=[{**fault, "times": 1, "match": f"Part {number}\n"} for number in range(5)])
    prepare(tmp_path, server.url, range(40), timeout=1)
    run(tmp_path)
    assert covered(tmp_path) == {p["id"]: 4 for p in passages(range(40))}
    stats = server.stats()
    assert stats.billed.total() == 40 + for_nothing
    assert max(stats.billed.values()) <= 2
    assert report(tmp_path)["claude_requests_lost"] == lost
    settled, reserved = store(tmp_path).spent(workspace_scope(tmp_path))
    assert (reserved > 0) == (lost > 0)
    if not lost:
        assert settled == round((stats.input_tokens * 0.10e-6 + stats.output_tokens * 0.50e-6) * 1e9)


def workspace_scope(folder: Path) -> str:
    import contextlib

    from stages.generate.prompt import Prompt

    with contextlib.chdir(folder):
        return Prompt(workspace.messages_config(), "anthropic").scope


def test_retry_after_is_waited_for_by_all_requests(server: Fake, tmp_path: Path) -> None:
    server.control(faults=[{**RETRY, "retry_after": 2, "times": 1}])
    prepare(tmp_path, server.url, range(200), max_concurrency=50)
    output = run(tmp_path)
    seconds = int(output.rpartition("(")[2].split(" s")[0])
    assert seconds >= 2
    assert server.stats().statuses["429"] == 1


def test_a_passage_that_fails_for_good_is_recorded_with_its_reason(server: Fake, tmp_path: Path) -> None:
    server.control(faults=[{"do": "refusal", "match": "Part 7\n"}, {"do": "truncated", "match": "Part 11\n"}])
    prepare(tmp_path, server.url, range(100))
    run(tmp_path)
    assert len(covered(tmp_path)) == 98
    counts = report(tmp_path)
    assert counts["claude_passages_without_queries"] == 2
    assert counts["claude_without_queries: refused by the model"] == 1
    assert counts["claude_without_queries: cut off at max_tokens"] == 1
    assert server.stats().billed["Doc: Doc Part 7"] == 2  # asked for once more, then no more
    run(tmp_path)
    assert server.stats().requests == 102


def test_a_passage_that_fails_twice_in_two_ways_is_counted_once(server: Fake, tmp_path: Path) -> None:
    faults = [
        {"do": "refusal", "times": 1, "match": "Part 3\n"},
        {"do": "status", "status": 500, "match": "Part 3\n"},
    ]
    server.control(faults=faults, latency=0.02)
    prepare(tmp_path, server.url, range(100), max_concurrency=4)
    run(tmp_path)
    counts = report(tmp_path)
    assert counts["claude_passages_without_queries"] == 1
    reasons = {name: count for name, count in counts.items() if name.startswith("claude_without_queries: ")}
    assert reasons == {"claude_without_queries: no reply (500 invalid_request_error)": 1}


def test_more_failures_than_the_share_allows_end_the_stage_and_keep_what_was_bought(
    server: Fake, tmp_path: Path
) -> None:
    server.control(faults=[{"do": "refusal", "match": f"Part 1{number}\n"} for number in range(3)])
    prepare(tmp_path, server.url, range(100), max_concurrency=1)
    output = run(tmp_path, code=1)
    assert "3 of 100 passages got no queries (refused by the model: 3)" in output
    assert "these and the 87 others that have none yet" in output
    assert "more than failed_share 0.02" in output
    assert not (tmp_path / "data/queries").exists()
    assert server.stats().requests == 10 + 3 * 2  # it stopped with the third
    server.control()
    run(tmp_path)
    assert len(covered(tmp_path)) == 100
    assert server.stats().billed["Doc: Doc Part 12"] == 3
    assert server.stats().requests == 16 + 3 + 87


def test_one_passage_may_fail_however_few_there_are_unless_none_may(server: Fake, tmp_path: Path) -> None:
    server.control(faults=[{"do": "refusal", "match": "Part 4\n"}])
    prepare(tmp_path, server.url, range(10))
    run(tmp_path)
    assert len(covered(tmp_path)) == 9
    run(tmp_path)
    assert server.stats().requests == 9 + 2  # it was asked for twice, and never again
    configure(tmp_path, server.url, failed_share=0)
    assert "1 of 10 passages got no queries" in run(tmp_path, code=1)
    server.control(faults=[{"do": "refusal", "match": f"Part {number}\n"} for number in (4, 5)])
    prepare(tmp_path / "two", server.url, range(10))
    assert "2 of 10 passages got no queries" in run(tmp_path / "two", code=1)


def test_a_wrong_key_stops_at_once_with_one_clear_line(server: Fake, tmp_path: Path) -> None:
    server.control(key="another")
    prepare(tmp_path, server.url, range(100))
    output = run(tmp_path, code=1)
    assert "does not accept the API key (401 authentication_error): check the environment variable" in output
    assert len(output.strip().splitlines()) == 2  # the estimate, and this
    assert server.stats().requests <= 4


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (404, "does not know the model"),
        (402, "the account has no credit left"),
        (400, "takes none of these requests (400 invalid_request_error). 0 of 100 passages have their queries"),
    ],
)
def test_errors_that_no_repetition_mends_end_the_stage(status: int, line: str, server: Fake, tmp_path: Path) -> None:
    server.control(faults=[{"do": "status", "status": status}])
    prepare(tmp_path, server.url, range(100))
    assert line in run(tmp_path, code=1)
    assert server.stats().requests <= 6
    assert server.stats().billed.total() == 0


@pytest.mark.parametrize("fault", [{"do": "status", "status": 529}, {"do": "cut"}, {"do": "status", "status": 500}])
def test_a_server_that_never_answers_ends_the_stage(fault: dict[str, Any], server: Fake, tmp_path: Path) -> None:
    server.control(faults=[fault])
    prepare(tmp_path, server.url, range(100), max_concurrency=2)
    output = run(tmp_path, code=1)
    assert f"no reply from {server.url} in 5 attempts" in output
    assert "0 of 100 passages have their queries" in output


def test_no_server_is_said(tmp_path: Path) -> None:
    prepare(tmp_path, "http://127.0.0.1:9", range(3), way="local")
    assert "no connection to http://127.0.0.1:9 (Connection refused)" in run(tmp_path, code=1)


def test_without_a_key_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fieldtune.runtime.errors import UserError
    from stages.generate.__main__ import work

    prepare(tmp_path, "http://127.0.0.1:9", range(3))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
        work()


def test_the_budget_is_never_passed_and_says_how_to_go_on(server: Fake, tmp_path: Path) -> None:
    server.control(latency=0.02)
    prepare(tmp_path, server.url, range(200), budget_usd=0.004)
    output = run(tmp_path, code=1)
    assert "the budget is reached: $0.00" in output
    assert "of budget_usd 0.004" in output
    assert "run `dvc repro` to go on, with a higher budget" in output
    assert not (tmp_path / "data/queries").exists()
    stats = server.stats()
    spent = stats.input_tokens * 0.10e-6 + stats.output_tokens * 0.50e-6
    # One request costs about $0.00006 and at most $0.0006 is reserved for it.
    assert 0.004 - 0.0007 < spent <= 0.004
    assert stats.billed.total() == len(store(tmp_path).standing(keys(tmp_path))) < 100
    configure(tmp_path, server.url, budget_usd=1)
    run(tmp_path)
    assert len(covered(tmp_path)) == 200
    assert server.stats().billed.total() == 200


def keys(folder: Path) -> list[str]:
    import contextlib

    from stages.generate.prompt import Prompt

    with contextlib.chdir(folder):
        prompt = Prompt(workspace.messages_config(), "anthropic")
    return [prompt.key(prompt.request(passage)) for passage in files.read_jsonl(folder / paths.PASSAGES)]


def test_two_runs_at_once_buy_nothing_twice_and_keep_the_budget_together(server: Fake, tmp_path: Path) -> None:
    server.control(latency=0.05)
    main, other = tmp_path / "main", tmp_path / "other"
    for folder in (main, other):
        prepare(folder, server.url, range(200), max_concurrency=8)
    # As a temporary experiment: a working directory of its own, with the main repository's cache.
    (other / ".dvc/config.local").write_text(f"[cache]\n    dir = {main / '.dvc/cache'}\n")
    runs = [workspace.start(folder) for folder in (main, other)]
    output = [process.communicate(timeout=120)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], output
    assert server.stats().billed.total() == 200
    assert outputs(main) == outputs(other)
    assert not (other / ".fieldtune").exists()

    for folder in (main, other):
        prepare(folder, server.url, range(500), max_concurrency=8, budget_usd=0.02)
    runs = [workspace.start(folder) for folder in (main, other)]
    output = [process.communicate(timeout=120)[0] for process in runs]
    assert [process.returncode for process in runs] == [1, 1], output
    stats = server.stats()
    assert max(stats.billed.values()) == 1
    assert 0.019 < stats.input_tokens * 0.10e-6 + stats.output_tokens * 0.50e-6 <= 0.02


@pytest.mark.parametrize("in_batch", [False, True])
def test_what_another_run_has_under_way_is_waited_for_and_bought_when_that_ends_without_it(
    in_batch: bool, server: Fake, tmp_path: Path
) -> None:
    prepare(tmp_path, server.url, range(10))
    (tmp_path / ".fieldtune").mkdir()
    other = store(tmp_path)
    key = keys(tmp_path)[3]
    with other.run():
        (batch,) = other.transaction([lambda: other.open_batch(server.url) if in_batch else None])
        other.transaction([lambda: other.reserve(key, workspace_scope(tmp_path), 1, 1, batch)])
        process = workspace.start(tmp_path)
        while server.count()[1] < 9:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "1 of the requests are under way in another run: waiting for their replies" in output
    assert len(covered(tmp_path)) == 10
    assert set(server.stats().billed.values()) == {1}


def test_concurrency_settles_near_the_servers_limit_without_a_storm(server: Fake, tmp_path: Path) -> None:
    server.control(latency=0.05, at_once=12)
    prepare(tmp_path, server.url, range(600), max_concurrency=100)
    run(tmp_path)
    stats = server.stats()
    assert stats.billed.total() == 600
    assert stats.most_at_once == 12
    assert stats.statuses["429"] < 0.1 * 600


def test_a_local_server_needs_no_key_costs_nothing_and_may_ignore_the_schema(server: Fake, tmp_path: Path) -> None:
    items = [{"kind": "task", "query": f"open the lid {n}"} for n in range(4)]
    chatty = f"Sure! Here they are:\n```json\n{json.dumps({'queries': items})}\n```\nAnything else?"
    server.control(faults=[{"do": "say", "text": chatty}])
    prepare(tmp_path, server.url, range(5), way="local")
    output = run(tmp_path)
    assert "about " in output
    assert ": free" in output
    assert covered(tmp_path) == {p["id"]: 4 for p in passages(range(5))}
    assert [cost["cost_usd"] for cost in files.read_json(tmp_path / "data/queries/cost.json").values()] == [0.0]
    assert server.stats().keys == ["none"]


def test_no_output_holds_a_key_and_only_requests_hold_passages(server: Fake, tmp_path: Path) -> None:
    prepare(tmp_path, server.url, range(3))
    run(tmp_path)
    for content in outputs(tmp_path).values():
        assert KEY.encode() not in content
        assert SECRET.encode() not in content
    for path in (tmp_path / ".fieldtune").glob("replies.sqlite*"):
        assert KEY.encode() not in path.read_bytes()
        assert SECRET.encode() not in path.read_bytes()
