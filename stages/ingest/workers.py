"""The steps of many files, in as many processes as there are cores."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

from fieldtune.runtime.errors import UserError
from stages.ingest.steps import Cut, Read, Rules, Steps

_FEW = 16  # files that one process has done before others have started
_AT_ONCE = 4  # files handed to a process together

Job = TypeVar("Job")
Result = TypeVar("Result")
_CutJob = tuple[Path, Read, frozenset[int]]


class Workers:
    """Reads and cuts files; what the cache has is not handed to other processes. Results come in the files' order.

    Raises UserError where a process is killed.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._steps = Steps(rules)
        self._pool: ProcessPoolExecutor | None = None

    def read(self, paths: Sequence[Path]) -> Iterator[Read]:
        known = [self._steps.known_read(path) for path in paths]
        new = self._map(_read, self._steps.read, [p for p, read in zip(paths, known, strict=True) if read is None])
        for read in known:
            yield read or next(new)

    def cut(self, paths: Sequence[Path], reads: Sequence[Read], repeated: frozenset[int]) -> Iterator[Cut]:
        jobs = [(path, read, repeated.intersection(read.blocks)) for path, read in zip(paths, reads, strict=True)]
        known = [self._steps.is_cut(read, here) for _, read, here in jobs]
        new = self._map(_cut, self._cut_here, [job for job, there in zip(jobs, known, strict=True) if not there])
        for job, there in zip(jobs, known, strict=True):
            yield self._cut_here(job) if there else next(new)

    def close(self) -> None:
        self._steps.close()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _cut_here(self, job: _CutJob) -> Cut:
        return self._steps.cut(*job)

    def _map(
        self, there: Callable[[Job], Result], here: Callable[[Job], Result], jobs: Sequence[Job]
    ) -> Iterator[Result]:
        if len(jobs) <= _FEW or (os.cpu_count() or 1) == 1:
            yield from map(here, jobs)
            return
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(mp_context=context, initializer=_start, initargs=(self._rules,))
        try:
            yield from self._pool.map(there, jobs, chunksize=_AT_ONCE)
        except BrokenProcessPool:
            raise UserError(
                "documents: a process that reads files was killed, as happens where memory runs out: leave the largest "
                "files out with `ingest.exclude`; what was read is kept"
            ) from None


_steps: Steps  # of a worker process


def _start(rules: Rules) -> None:
    global _steps
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the cores are taken
    _steps = Steps(rules)


def _read(path: Path) -> Read:
    return _steps.read(path)


def _cut(job: _CutJob) -> Cut:
    return _steps.cut(*job)
