"""How batches are made, with every number worked out by hand."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from fieldtune.serve.backends import Vectors, padded
from fieldtune.serve.batching import Batcher, QueueFull, _Job, next_batch, runs


class Lengths:
    """A backend whose vector of a text is its length and its first id; it waits for `go` before each run."""

    name, dimension, batch_tokens, run_cost, at_once = "lengths", 2, 100, 16, 0

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.go = threading.Semaphore(0)

    def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        self.go.acquire()
        self.seen.append([len(row) for row in ids])
        if any(row[0] == 13 for row in ids):
            raise RuntimeError("a bad batch")
        return np.array([[len(row), row[0]] for row in ids], dtype=np.float32)


def job(*lengths: int) -> _Job:
    ids = [[0] * length for length in lengths]
    order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
    return _Job(ids, np.zeros((len(ids), 2), np.float32), order, len(ids), asyncio.Future())


def awaited(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """The test in an event loop of its own."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


@asynccontextmanager
async def batching(
    batch_tokens: int, queue_tokens: int, backend: Lengths | None = None
) -> AsyncIterator[tuple[Batcher, Lengths]]:
    backend = backend or Lengths()
    batcher = Batcher(backend, batch_tokens=batch_tokens, queue_tokens=queue_tokens)
    loop = asyncio.create_task(batcher.run())
    try:
        yield batcher, backend
    finally:
        loop.cancel()
        backend.go.release(100)  # else a test that failed would wait for a run that waits


@awaited
async def test_each_request_has_its_turn_in_every_batch() -> None:
    large, small = job(10, 10, 10, 10, 10), job(10)
    jobs = deque([large, small])
    assert [(each is large, row) for each, row in next_batch(jobs, 30)] == [(True, 4), (False, 0), (True, 3)]
    assert list(jobs) == [large]
    assert [row for _, row in next_batch(jobs, 30)] == [2, 1, 0]
    assert next_batch(jobs, 30) == []


@awaited
async def test_a_batch_holds_its_budget_or_one_text_and_the_next_begins_where_it_ended() -> None:
    first, second = job(20, 50), job(20)
    jobs = deque([first, second])
    assert [each is first for each, _ in next_batch(jobs, 45)] == [
        True,
        False,
    ]  # the text of 50 is too much
    assert [row for _, row in next_batch(jobs, 45)] == [1]  # and comes alone
    assert not jobs


@awaited
async def test_what_nobody_waits_for_is_not_taken() -> None:
    left, kept = job(5, 5), job(5)
    left.done.cancel()
    assert [each is kept for each, _ in next_batch(deque([left, kept]), 100)] == [True]


@awaited
async def test_a_run_is_cut_where_its_padding_would_cost_more_than_another() -> None:
    mixed = job(100, 3, 5, 12, 8, 40, 30)
    cut = runs([(mixed, row) for row in range(7)], 16)
    # 3, 5 and 8 in one run are 5 + 3 tokens of padding; 12 beside them would make 20. 12 and 30: 18.
    assert [[len(mixed.ids[row]) for _, row in run] for run in cut] == [[3, 5, 8], [12], [30, 40], [100]]


@awaited
async def test_vectors_come_back_to_their_request_and_in_its_order() -> None:
    async with batching(batch_tokens=100, queue_tokens=1000) as (batcher, backend):
        backend.go.release(10)
        requests = [[[5, 5, 5], [6]], [[7] * 40], [[8] * 2, [9] * 30, [10] * 2]]
        replies = await asyncio.gather(*(batcher.encode(ids) for ids in requests))
        assert [each.tolist() for each in replies] == [[[3, 5], [1, 6]], [[40, 7]], [[2, 8], [30, 9], [2, 10]]]
        assert backend.seen == [[1, 2, 2, 3], [30, 40]]


@awaited
async def test_a_short_request_does_not_wait_for_all_of_a_long_one() -> None:
    async with batching(batch_tokens=20, queue_tokens=10_000) as (batcher, backend):
        long = asyncio.create_task(batcher.encode([[1] * 10] * 50))
        await asyncio.sleep(0)
        backend.go.release()  # the first batch of 25
        short = asyncio.create_task(batcher.encode([[2] * 5]))
        await asyncio.sleep(0)
        backend.go.release()
        assert (await asyncio.wait_for(short, 5)).tolist() == [[5, 2]]
        assert len(backend.seen) == 2
        assert not long.done()
        backend.go.release(100)
        assert (await long).shape == (50, 2)


@awaited
async def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room() -> None:
    async with batching(batch_tokens=100, queue_tokens=50) as (batcher, backend):
        first = asyncio.create_task(batcher.encode([[1] * 60]))  # more than the queue, but the queue is empty
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as full:
            await batcher.encode([[2]])
        assert full.value.retry_after == 1
        backend.go.release(2)
        await first
        assert (await batcher.encode([[2]])).tolist() == [[1, 2]]


@awaited
async def test_a_run_that_fails_fails_its_requests_alone() -> None:
    async with batching(batch_tokens=100, queue_tokens=1000) as (batcher, backend):
        backend.go.release(10)
        with pytest.raises(RuntimeError, match="a bad batch"):
            await batcher.encode([[13], [1] * 90, [1] * 90])
        assert (await batcher.encode([[2]])).tolist() == [[1, 2]]


class Threads(Lengths):
    """Says of each run whether the event loop's thread made it."""

    at_once = 12

    def __init__(self) -> None:
        super().__init__()
        self.here: list[bool] = []

    def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        self.here.append(threading.current_thread() is threading.main_thread())
        return super().encode(ids)


@awaited
async def test_the_shortest_runs_are_made_where_the_loop_runs() -> None:
    async with batching(100, 1000, Threads()) as (batcher, backend):
        backend.go.release(10)
        for lengths in ([12], [13], [6, 5], [7, 2]):  # 12, 13, 12 and 14 tokens, padding counted
            await batcher.encode([[1] * length for length in lengths])
    assert isinstance(backend, Threads)
    assert backend.here == [True, False, True, False]


def test_padding_is_masked() -> None:
    tokens, mask = padded([[5, 6, 7], [8]], padding=1)
    assert tokens.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
