"""The number of requests under way at once: as many as the server takes."""

import asyncio
import time
from collections import deque
from types import TracebackType

_FIRST = 4.0
_NAP = 0.5  # seconds, until it is looked whether to wait on
_CALM = 2  # round trips without a refusal until the window grows by one in each again


class Window:
    """Grows by one per reply until the server first refuses (429, 529), then by one per round trip, and slower right
    after a refusal. Each refusal takes one off, at most half in one round trip. So it comes down to the server's limit
    within one round trip and stays there: halving at each, as TCP does, would leave a quarter of the limit unused.

    `most` bounds it. Use as `async with window:` around each request.
    """

    def __init__(self, most: int) -> None:
        self.size = min(_FIRST, float(most))
        self._most = float(most)
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0
        self._replies: int | None = None  # since the last refusal, if there was one
        self._round_ends = 0  # the number of the first request of the next round trip
        self._least = 1.0  # in this round trip
        self._entered = 0

    async def __aenter__(self) -> int:
        """Wait for a place; the request's number, for `refused`."""
        while True:
            if (wait := self._closed_until - time.monotonic()) > 0:
                await asyncio.sleep(min(wait, _NAP))
            elif self._busy < int(self.size):
                self._busy += 1
                self._entered += 1
                return self._entered
            else:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(future)
                await future

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._busy -= 1
        free = int(self.size) - self._busy
        while free > 0 and self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                free -= 1

    def reopen(self) -> None:
        """Wait no longer for what a server asked for."""
        self._closed_until = 0.0

    def replied(self) -> None:
        """A request was answered."""
        step = 1.0
        if self._replies is not None:
            self._replies += 1
            step = min(1.0, self._replies / self.size / _CALM) / self.size
        self.size = min(self._most, self.size + step)

    def refused(self, number: int, retry_after: float | None) -> None:
        """The server refused a request as one too many; with `retry_after` (seconds) none is sent so long."""
        if number >= self._round_ends:
            self._round_ends = self._entered + 1
            self._least = max(1.0, self.size / 2)
        self.size = max(self._least, self.size - 1)
        self._replies = 0
        if retry_after is not None:
            self._closed_until = max(self._closed_until, time.monotonic() + retry_after)
