"""Replies from the Messages API, many requests at once."""

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from fieldtune.buying import money
from fieldtune.buying.refusals import BrokenError, RefusedError, RejectedError, UnclearError
from fieldtune.buying.window import Window
from fieldtune.runtime.errors import UserError
from stages.generate import pricing
from stages.generate.answers import Answer
from stages.generate.buying import Buying
from stages.generate.plan import Todo

_LOOK_AGAIN = 0.1  # seconds, while what is in flight is to end first


class OneByOne:
    """Sends what `buying.todo` has; takes out of it what is done."""

    def __init__(self, buying: Buying, price: money.Price) -> None:
        self.buying = buying
        self.price = price
        self.window = Window(buying.config.max_concurrency)
        self._reserved = 0  # requests with money reserved: never more than max_concurrency
        self._answered = 0
        self._elsewhere: set[str] = set()  # keys that another run or a batch is about to get
        # The last that was written: what a task hands in is written with its next reservation, at the latest.
        self._written: asyncio.Future[Any]

    async def run(self) -> None:
        """Send until all is done that is not bought elsewhere, or `buying.stop` is set and nothing is in flight."""
        self._elsewhere.clear()
        self._written = self.buying.commit(lambda: None)
        # A task for each place and not for each passage: of those there may be a million.
        todo = iter(list(self.buying.todo.items()))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.buying.config.max_concurrency, len(self.buying.todo))):
                group.create_task(self._work(todo))

    async def _work(self, todo: Iterator[tuple[str, Todo]]) -> None:
        try:
            await self._work_off(todo)
            await self._written
        except UserError as error:  # the store cannot be written
            self.buying.stop = self.buying.stop or error

    async def _work_off(self, todo: Iterator[tuple[str, Todo]]) -> None:
        for key, item in todo:
            for number in range(1, item.tries + 1):
                if self.buying.stop:
                    return
                if await self._ask(key, item.passage):
                    break
                if number == item.tries:
                    self.buying.give_up(key)
            if self.buying.stop:
                return
            if key in self._elsewhere:
                continue
            del self.buying.todo[key]
            self.buying.bar.advance()
            self.buying.bar.note(f"{int(self.window.size)} at once")

    async def _ask(self, key: str, passage: int) -> bool:
        """Ask until there is a reply. False if it is not usable."""
        buying = self.buying
        request = json.dumps(buying.prompt.request(buying.passages[passage])).encode()
        amount = pricing.most(len(request), buying.config.max_tokens, self.price)
        failures, answered = 0, self._answered
        while (reservation := await self._reserve(key, amount)) is not None:
            try:
                answer = await self._send(request, reservation)
            except UserError as error:
                buying.stop = buying.stop or error
                return True
            except RejectedError as error:
                buying.reject(key, error)
                return True
            except (RefusedError, BrokenError, UnclearError) as error:
                if isinstance(error, RefusedError) and self._answered > answered:
                    failures, answered = 0, self._answered  # others are served: this one's turn comes
                failures += 1
                if failures >= buying.config.attempts:
                    self._end_attempts(key, failures, str(error), others_served=self._answered > answered)
                    return True
            else:
                if answer is None:
                    return True
                usable, written = buying.settle(reservation, key, buying.passages[passage], answer, self.price)
                self._write(written)
                return usable
            await buying.wait(failures)
        return True

    async def _send(self, request: bytes, reservation: int) -> Answer | None:
        """Send a request: its answer, for which the reservation is still to be settled; None if `buying.stop` was set
        before. Without an answer the reservation is released or, if the request may have been billed, lost.
        """
        store = self.buying.store
        undo: Callable[[int], None] | None = store.lose  # as it is if this is interrupted
        try:
            async with self.window as place:
                if self.buying.stop:
                    undo = store.release
                    return None
                try:
                    answer = await self.buying.api.message(request)
                except RefusedError as error:
                    self.window.refused(place, error.retry_after)
                    self.buying.heed(error)
                    if self.buying.stop:
                        self.window.reopen()
                    raise
                self.window.replied()
            self._answered += 1
            self.buying.answered = True
            undo = None
            return answer
        except (UserError, RejectedError, RefusedError, BrokenError):
            undo = store.release
            raise
        finally:
            if undo:
                self._write(self.buying.commit(partial(undo, reservation)))

    def _end_attempts(self, key: str, failures: int, reason: str, *, others_served: bool) -> None:
        """Give up a passage or, if the server answers no other request either, stop the run."""
        buying = self.buying
        if others_served:
            buying.give_up(key, f"no reply ({reason})")
        else:
            buying.stop = buying.stop or UserError(
                f"no reply from {buying.api.server} in {failures} attempts (the last: {reason})"
            )

    def _write(self, written: asyncio.Future[Any]) -> None:
        """Free the place of a reservation as soon as what ends it is on disk."""
        self._written = written
        written.add_done_callback(self._freed)

    def _freed(self, written: asyncio.Future[Any]) -> None:
        self._reserved -= 1
        if not written.cancelled() and (error := written.exception()):
            assert isinstance(error, UserError)
            self.buying.stop = self.buying.stop or error

    async def _reserve(self, key: str, amount: int) -> int | None:
        """Reserve money for a request; None where it is not to be sent."""
        buying = self.buying
        while not buying.stop:
            reserve = partial(buying.store.reserve, key, buying.prompt.scope, amount, buying.budget)
            outcome = await buying.commit(reserve)
            if isinstance(outcome, int):
                self._reserved += 1
                return outcome
            if outcome == "elsewhere":
                self._elsewhere.add(key)
            if outcome in ("bought", "elsewhere"):
                return None
            if outcome == "budget" and not self._reserved:  # otherwise what is in flight may cost less than it could
                buying.stop = buying.stop or buying.budget_reached()
            else:
                await asyncio.sleep(_LOOK_AGAIN)
        return None
