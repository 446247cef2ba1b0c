"""The store: what is reserved, by whom, and what comes back."""

import asyncio
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fieldtune.buying.ledger import Committer, Outcome
from fieldtune.runtime.errors import UserError
from stages.generate.store import Reply, Store
from tests.generate.workspace import ROOT

RESERVES = """
import platform, sys, time
from pathlib import Path
from stages.generate.store import Store
platform.node = lambda: sys.argv[2]
store = Store(Path(sys.argv[1]))
with store.run():
    print(store.transaction([lambda: store.reserve("key", "prompt", 60, 100)]), flush=True)
    time.sleep(60)
"""


def reply(key: str, reason: str = "", cost: int = 7) -> Reply:
    return Reply(key, "prompt", "model", reason, "the text ß", [] if reason else [("task", "do it")], 30, 4, cost)


def reserve(store: Store, key: str, amount: int, budget: int = 100) -> Outcome:
    with store.run():
        (outcome,) = store.transaction([lambda: store.reserve(key, "prompt", amount, budget)])
    return outcome  # type: ignore[no-any-return]


def test_reservations_and_costs_together_never_pass_the_budget(tmp_path: Path) -> None:
    store = Store(tmp_path / "replies.sqlite")
    first, second = reserve(store, "a", 60), reserve(store, "b", 40)
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert reserve(store, "c", 1) == "budget"
    store.transaction([lambda: store.settle(first, reply("a", cost=10))])  # 10 + 40
    assert store.spent("prompt") == (10, 40)
    assert reserve(store, "a", 1) == "bought"
    assert reserve(store, "c", 51) == "budget"
    third = reserve(store, "c", 50)
    assert isinstance(third, int)
    store.transaction([lambda: store.release(second), lambda: store.lose(third)])
    assert store.spent("prompt") == (10, 50)
    assert store.lost_requests("prompt") == (1, 50)
    assert reserve(store, "d", 41) == "budget"
    assert store.spent("another prompt") == (0, 0)


@pytest.mark.parametrize("host", [platform.node(), "a-host-of-another-name"])
def test_what_a_live_process_has_in_flight_is_not_bought_again_and_what_a_killed_one_had_is(
    host: str, tmp_path: Path
) -> None:
    path = tmp_path / "replies.sqlite"
    other = subprocess.Popen(
        [sys.executable, "-c", RESERVES, str(path), host],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout
    try:
        assert other.stdout.readline() == "[1]\n"
        store = Store(path)
        assert reserve(store, "key", 10) == "elsewhere"
        assert store.lost_requests("prompt") == (0, 0)
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert store.lost_requests("prompt") == (1, 60)
    assert reserve(store, "key", 41) == "budget"  # it may have been billed
    assert isinstance(reserve(store, "key", 40), int)


def test_what_cannot_be_written_takes_no_other_reply_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "replies.sqlite")
    first, second, third = (reserve(store, key, 10) for key in "abc")
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert isinstance(third, int)

    async def settle() -> list[object]:
        commit = Committer(store)
        works = [
            commit(lambda: store.settle(first, reply("a"))),
            commit(lambda: store.settle(second, reply("b", cost=2**64))),  # more than a column of SQLite's holds
            commit(lambda: store.settle(third, reply("c"))),
        ]
        results: list[object] = await asyncio.gather(*works, return_exceptions=True)
        return results

    before, error, after = asyncio.run(settle())
    assert (before, after) == (None, None)
    assert isinstance(error, UserError)
    assert str(error) == f"{tmp_path.name}/replies.sqlite: a row cannot be written (OverflowError)"
    assert list(store.standing("abc")) == ["a", "c"]
    assert store.spent("prompt") == (14, 10)


def test_replies_survive_their_rows_and_refill_another_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "replies.sqlite")
    bought = [reply("b", "refused by the model"), reply("b", cost=3), reply("a")]
    assert store.transaction([lambda: store.refill(bought)]) == [3]
    assert list(store.replies(["b", "a", "b", "none"])) == [bought[2], bought[0], bought[1]]
    assert store.standing(["a", "b", "none"]) == {"a": (True, 1), "b": (True, 2)}
    assert store.queries(["a", "b"]) == {"a": [("task", "do it")], "b": [("task", "do it")]}
    rows = [one.row() for one in store.replies(["a", "b"])]

    other = Store(tmp_path / "other.sqlite")
    other.transaction([lambda: other.refill([reply("a", cost=1)])])
    assert other.transaction([lambda: other.refill(map(Reply.of_row, rows))]) == [2]  # `a` was there
    assert [one.cost for one in other.replies(["a", "b"])] == [1, 7, 3]
    assert other.spent("prompt") == (11, 0)
