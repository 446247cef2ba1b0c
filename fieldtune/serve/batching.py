"""Requests from many clients, encoded together: batches by tokens, a bounded queue, fair turns."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fieldtune.serve import metrics
from fieldtune.serve.backends import Backend, Vectors

_MOST_WAIT = 60  # seconds; official clients honour Retry-After up to this

log = logging.getLogger(__name__)


class QueueFull(Exception):
    """No room for another request. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class NotFinite(Exception):
    """The model gave a vector with NaN or infinity."""


@dataclass
class _Job:
    """The texts of one request."""

    ids: Sequence[Sequence[int]]
    vectors: Vectors
    todo: list[int]  # rows not taken yet; the next one is the last, and the shortest
    left: int  # rows without a vector
    done: "asyncio.Future[Vectors]"
    since: float = field(default_factory=time.perf_counter)

    def fail(self, error: Exception) -> None:
        """Give up the texts that wait, and raise `error` where the vectors are waited for."""
        self.todo.clear()
        if not self.done.done():
            self.done.set_exception(error)


class Batcher:
    """A queue that turns token ids into vectors. One loop forms batches and runs the model in a thread of its own.

    The shortest runs are made in the loop itself, which waits meanwhile: for single queries of one client, a fifth of
    the time was spent on waking the thread and being woken by it.
    """

    def __init__(self, backend: Backend, *, batch_tokens: int, queue_tokens: int) -> None:
        self._backend = backend
        self._batch_tokens = batch_tokens
        self._queue_tokens = queue_tokens
        self._jobs: deque[_Job] = deque()
        self._tokens = 0  # of all unfinished jobs
        self._rate = 0.0  # tokens per second, recently
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "model")

    async def encode(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Unit vectors, float32 [len(ids), dimension]. Cancelling removes the texts from the queue.

        Raises QueueFull at once if more tokens are waiting than fit beside these.
        """
        tokens = sum(map(len, ids))
        if self._tokens and self._tokens + tokens > self._queue_tokens:
            raise QueueFull(self._retry_after())
        job = _Job(
            ids=ids,
            vectors=np.zeros((len(ids), self._backend.dimension), dtype=np.float32),
            # Neighbours of similar length, so that little of a batch is padding.
            todo=sorted(range(len(ids)), key=lambda row: -len(ids[row])),
            left=len(ids),
            done=asyncio.get_running_loop().create_future(),
        )
        self._count(tokens)
        self._jobs.append(job)
        self._wake.set()
        try:
            return await job.done
        finally:
            self._count(-tokens)

    def _count(self, tokens: int) -> None:
        self._tokens += tokens
        metrics.QUEUE_TOKENS.set(self._tokens)

    def _retry_after(self) -> int:
        seconds = self._tokens / self._rate if self._rate else 1
        return min(_MOST_WAIT, max(1, math.ceil(seconds)))

    async def run(self) -> None:
        """Encode whatever arrives, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := next_batch(self._jobs, self._batch_tokens):
                for run in runs(batch, self._backend.run_cost):
                    await self._encode(run)
                    await asyncio.sleep(0)  # clients get their turn between two runs, wherever the runs are made

    async def _encode(self, rows: list[tuple[_Job, int]]) -> None:
        ids = [job.ids[row] for job, row in rows]
        started = time.perf_counter()
        for job, _ in rows:
            metrics.QUEUE_SECONDS.observe(started - job.since)
        try:
            if len(ids) * max(map(len, ids)) <= self._backend.at_once:
                vectors = self._backend.encode(ids)
            else:
                vectors = await asyncio.get_running_loop().run_in_executor(self._thread, self._backend.encode, ids)
        except Exception as error:  # the model's, of any kind: these requests fail, the service does not
            log.error("encoding failed", extra={"fields": {"error": f"{type(error).__name__}: {error}"}})
            for job, _ in rows:
                job.fail(error)
            return
        self._observe(ids, time.perf_counter() - started)
        finite = np.atleast_1d(np.isfinite(vectors).all(axis=1))
        if not finite.all():
            fields = {"texts": int((~finite).sum()), "tokens": max(map(len, ids))}
            log.error("the model gave vectors with NaN or infinity", extra={"fields": fields})
        for (job, row), vector, sound in zip(rows, vectors, finite, strict=True):
            if not sound:
                job.fail(NotFinite())
                continue
            job.vectors[row] = vector
            job.left -= 1
            if job.left == 0 and not job.done.done():
                job.done.set_result(job.vectors)

    def _observe(self, ids: Sequence[Sequence[int]], seconds: float) -> None:
        tokens = sum(map(len, ids))
        rate = tokens / max(seconds, 1e-6)
        self._rate = rate if not self._rate else 0.9 * self._rate + 0.1 * rate
        metrics.BATCH_SECONDS.observe(seconds)
        metrics.BATCH_TEXTS.observe(len(ids))
        metrics.TOKENS.inc(tokens)
        metrics.TEXTS.inc(len(ids))


def next_batch(jobs: "deque[_Job]", budget: int) -> list[tuple[_Job, int]]:
    """Take up to `budget` tokens, at least one text, one text per job in turn: no client waits for all of another's.

    Jobs with nothing left to take leave the queue, as do those that nobody waits for.
    """
    taken: list[tuple[_Job, int]] = []
    tokens = 0
    while jobs:
        job = jobs.popleft()
        if job.done.done() or not job.todo:
            continue
        tokens += len(job.ids[job.todo[-1]])
        if taken and tokens > budget:
            jobs.appendleft(job)
            break
        taken.append((job, job.todo.pop()))
        if job.todo:
            jobs.append(job)
    return taken


def runs(batch: Sequence[tuple[_Job, int]], cost: int) -> list[list[tuple[_Job, int]]]:
    """Cut a batch into runs of the model, shortest texts first: a new run if more than `cost` would be padding.

    `cost`, the fixed cost of a run, is in tokens.
    """
    cut: list[list[tuple[_Job, int]]] = []
    tokens = 0  # of the last run
    for job, row in sorted(batch, key=lambda each: len(each[0].ids[each[1]])):
        length = len(job.ids[row])
        if not cut or length * len(cut[-1]) - tokens > cost:
            cut.append([])
            tokens = 0
        cut[-1].append((job, row))
        tokens += length
    return cut
