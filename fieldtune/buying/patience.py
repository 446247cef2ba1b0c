"""Waiting between attempts: as long as a server asks for, or ever longer."""

import asyncio
import random
import time

from fieldtune.buying.refusals import LONGEST_WAIT, RefusedError, Server
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError

_LONG_WAIT = 5.0  # seconds that a server asks for; one that is longer is said
_LONGEST_BACKOFF = 60.0  # seconds


class Patience:
    """The waits of one run at a server. `backoff`: seconds before the second attempt."""

    def __init__(self, server: Server, backoff: float) -> None:
        self._server = server
        self._backoff = backoff
        self._long_waits = 0
        self._wait_ends = 0.0

    async def wait(self, failures: int, retry_after: float | None = None) -> None:
        """Wait after so many failures in a row, as long as the server says or ever longer, each task a little other."""
        longest = min(_LONGEST_BACKOFF, self._backoff * 2 ** (failures - 1))
        await asyncio.sleep(longest * random.uniform(0.5, 1.0) if retry_after is None else retry_after)

    def heed(self, error: RefusedError) -> UserError | None:
        """Say how long the server asks to wait; if it is too long for the second time, the error that ends the run."""
        seconds = error.retry_after or 0.0
        if seconds >= LONGEST_WAIT:
            self._long_waits += 1
            if self._long_waits > 1:
                longest = _duration(LONGEST_WAIT)
                return UserError(f"{self._server} asks to wait longer than {longest} ({error}): run again later")
        if seconds >= _LONG_WAIT and time.monotonic() >= self._wait_ends:
            self._wait_ends = time.monotonic() + seconds
            note(f"{self._server} asks to wait {_duration(seconds)} ({error})")
        return None


def _duration(seconds: float) -> str:
    """Seconds as people say them: 7 s, 10 min, 2 min 05 s."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if rest else f"{minutes} min"
