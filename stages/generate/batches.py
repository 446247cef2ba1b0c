"""Replies from the Message Batches API: half the price, within a day, the same requests under the same keys.

A batch is noted in the store before it is submitted, and its id before it is waited for, so that a run that was
stopped attaches again. The API takes no name for a batch, so one that was submitted by a run that was killed before
it knew the id is looked for among the recent ones, by its number of requests, and known by its results.
"""

import asyncio
import dataclasses
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from fieldtune.buying.refusals import (
    MESSAGES,
    BrokenError,
    NotThereError,
    RefusedError,
    RejectedError,
    UnclearError,
    bare_url,
    field_names,
    refusal,
    shown,
)
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from stages.generate import pricing
from stages.generate.answers import Answer, answer
from stages.generate.buying import Buying

_CLOCKS_DIFFER = 600.0  # seconds, at most, between this machine's clock and the server's
_MISSES = 3  # batches in which a request may expire or fail before its passage is given up
_AT_ONCE = 500  # results kept in one transaction
_LOOKS = 6  # at the list of batches for one whose id is unknown, with ever longer waits before them
_NO_HASTE = "it may take up to a day, and this may be stopped"

T = TypeVar("T")


class Batches:
    """Buys in batches what `buying.todo` has; takes out of it what is done."""

    def __init__(self, buying: Buying) -> None:
        self.buying = buying
        self._misses: Counter[str] = Counter()

    async def attach(self) -> None:
        """Fetch what earlier runs submitted, where it is for passages that are there now."""
        store = self.buying.store
        for number, id_, base_url in store.pending_batches():
            keys = store.reservations_of(number)
            if not keys.keys().isdisjoint(self.buying.todo):
                if bare_url(base_url) != self.buying.api.server.url:
                    self.buying.stop = UserError(
                        f"a batch for these passages was submitted to {shown(base_url)}: set messages.base_url to that "
                        "again"
                    )
                    return
                if id_:
                    note(f"batch {id_} of an earlier run has {len(keys):,} requests: waiting for it; {_NO_HASTE}")
                await self._guarded(self._fetch(number, id_))
            elif not keys:  # all its replies are here
                await self.buying.commit(partial(store.end_batch, number))

    async def run(self) -> None:
        """Submit, wait and fetch until all is done that is not bought elsewhere, or `buying.stop` is set."""
        buying = self.buying
        while buying.todo and not buying.stop:
            submitted, reached, elsewhere = await self._submit()
            for number, id_ in submitted:
                await self._guarded(self._fetch(number, id_))
            if not submitted and not buying.stop:
                if reached:
                    buying.stop = buying.budget_reached()
                elif elsewhere:
                    return

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except UserError as error:
            self.buying.stop = error

    async def _submit(self) -> tuple[list[tuple[int, str]], bool, bool]:
        """Submit parts as far as the budget goes: their numbers and ids, whether the budget was reached, and whether
        something is bought elsewhere.
        """
        submitted = []
        reached = elsewhere = False
        for part in self._parts():
            number, refused = await self.buying.commit(partial(self._open, part))
            for key, outcome in refused.items():
                if outcome == "bought":
                    del self.buying.todo[key]
                reached |= outcome == "budget"
                elsewhere |= outcome == "elsewhere"
            requests = [{"custom_id": key, "params": request} for key, request in part.items() if key not in refused]
            id_ = await self._create(number, requests) if requests else None
            if id_ is not None:
                submitted.append((number, id_))
                note(f"batch {id_}: {len(requests):,} requests; {_NO_HASTE}")
            if reached or self.buying.stop:
                break
        return submitted, reached, elsewhere

    def _parts(self) -> Iterator[dict[str, dict[str, Any]]]:
        """The requests by key, cut at the limits of one batch."""
        limits = self.buying.config.batch
        part: dict[str, dict[str, Any]] = {}
        size = 0
        for key, item in list(self.buying.todo.items()):
            request = self.buying.prompt.request(self.buying.passages[item.passage])
            its_size = _size(request) + len(key) + 50  # around it: {"custom_id": …, "params": …}
            if part and (len(part) >= limits.requests or size + its_size > limits.megabytes * 1e6):
                yield part
                part, size = {}, 0
            part[key] = request
            size += its_size
        if part:
            yield part

    def _open(self, part: dict[str, dict[str, Any]]) -> tuple[int, dict[str, object]]:
        """Inside a transaction: note a batch and reserve its money. Its number, and why requests are left out."""
        buying = self.buying
        price = pricing.price(buying.config, batch=True)
        number = buying.store.open_batch(buying.api.server.url)
        refused: dict[str, object] = {}
        for key, request in part.items():
            amount = pricing.most(_size(request), buying.config.max_tokens, price)
            outcome = buying.store.reserve(key, buying.prompt.scope, amount, buying.budget, number)
            if not isinstance(outcome, int):
                refused[key] = outcome
        if len(refused) == len(part):
            buying.store.end_batch(number)
        return number, refused

    async def _create(self, number: int, requests: list[dict[str, Any]]) -> str | None:
        """Submit a batch: its id, or None if `buying.stop` says why not."""
        buying = self.buying
        unclear = False
        for failures in range(1, buying.config.attempts + 1):
            try:
                batch = await buying.api.create_batch(requests)
            except (UserError, RejectedError) as error:
                await buying.commit(partial(buying.store.end_batch, number))
                refused = UserError(f"the server does not take the batch ({error})")
                buying.stop = error if isinstance(error, UserError) else refused
                return None
            except RefusedError as error:
                reason = str(error)
                buying.heed(error)
                if buying.stop:
                    if not unclear:
                        await buying.commit(partial(buying.store.end_batch, number))
                    return None
                await buying.wait(failures, error.retry_after)
            except (BrokenError, UnclearError) as error:
                # It may have been taken all the same, and would be paid twice.
                reason, unclear = str(error), True
                try:
                    if id_ := await self._search(number):
                        return id_
                except UserError as no_list:
                    buying.stop = no_list
                    return None
            else:
                id_ = str(batch["id"])
                await buying.commit(partial(buying.store.name_batch, number, id_))
                return id_
        buying.stop = UserError(
            f"the batch could not be submitted in {buying.config.attempts} attempts ({reason}); if it was taken all "
            "the same, the next run finds it"
        )
        return None

    async def _search(self, number: int) -> str | None:
        """Look for a batch whose id is unknown, several times: the server may still be taking it."""
        buying = self.buying
        keys = buying.store.reservations_of(number)
        known = buying.store.known_batch_ids()
        noted = buying.store.batch_created(number)
        for looks in range(1, _LOOKS + 1):
            await buying.wait(looks)
            for batch in await self._patiently(partial(buying.api.batches, noted - _CLOCKS_DIFFER)):
                count = sum(value for value in batch["request_counts"].values() if isinstance(value, int))
                if batch["id"] in known or count != len(keys):
                    continue
                note(f"batch {batch['id']} may be one that was submitted before: waiting for it to end; {_NO_HASTE}")
                await self._ended(batch["id"])
                if await self._patiently(partial(self._first, batch["id"])) in keys:
                    await buying.commit(partial(buying.store.name_batch, number, batch["id"]))
                    return str(batch["id"])
                known.add(batch["id"])
        return None

    async def _first(self, id_: str) -> str | None:
        async for result in self.buying.api.results(id_):
            return str(result["custom_id"])
        return None

    async def _ended(self, id_: str) -> None:
        while (await self._patiently(partial(self.buying.api.batch, id_)))["processing_status"] != "ended":
            await asyncio.sleep(self.buying.config.batch.poll)

    async def _fetch(self, number: int, id_: str | None) -> None:
        """Wait for a batch and keep its results; one that never reached the server has none."""
        store = self.buying.store
        try:
            if id_ := id_ or await self._search(number):
                await self._ended(id_)
                await self._patiently(partial(self._keep_all, number, id_))
        except NotThereError:
            note(f"batch {id_} is no longer there, or another account's: its passages will be requested again")
            await self.buying.commit(partial(store.lose_batch, number))
        else:
            await self.buying.commit(partial(store.end_batch, number))

    async def _keep_all(self, number: int, id_: str) -> None:
        # Read again at each attempt: what an attempt that was cut short has kept is not counted twice.
        reservations = self.buying.store.reservations_of(number)
        results: list[tuple[int, str, dict[str, Any]]] = []
        async for result in self.buying.api.results(id_):
            key = result["custom_id"]
            if key in reservations:
                results.append((reservations[key], key, result["result"]))
            if len(results) == _AT_ONCE:
                await asyncio.gather(*(self._keep(*one) for one in results))
                results = []
        await asyncio.gather(*(self._keep(*one) for one in results))

    async def _keep(self, reservation: int, key: str, result: dict[str, Any]) -> None:
        buying = self.buying
        if result.get("type") == "succeeded":
            try:
                reply = answer(result.get("message"))
            except UnclearError:
                reply = Answer("", "", 0, 0)
            item = buying.todo.get(key)
            passage = {"text": ""} if item is None else buying.passages[item.passage]
            usable, kept = buying.settle(reservation, key, passage, reply, pricing.price(buying.config, batch=True))
            await kept
            if item is None:
                return
            if not usable and item.tries > 1:
                buying.todo[key] = dataclasses.replace(item, tries=item.tries - 1)
                return
            self._done(key, None if usable else "")
        else:
            await buying.commit(partial(buying.store.release, reservation))
            self._miss(key, result)

    def _miss(self, key: str, result: dict[str, Any]) -> None:
        """A request without a reply, which was not billed: it goes into the next batch, but not for ever."""
        kind = str(result.get("type"))
        error = result.get("error")
        inner = error.get("error") if isinstance(error, dict) else None
        self._misses[key] += 1
        if kind == "canceled":
            self.buying.stop = self.buying.stop or UserError("a batch was canceled, and is not sent again in this run")
        if isinstance(inner, dict) and inner.get("type") == "invalid_request_error":
            self._reject(key, inner)
        elif self._misses[key] >= _MISSES:
            self._done(key, f"no reply in {_MISSES} batches ({kind if kind.isalpha() else 'unknown'})")

    def _reject(self, key: str, error: dict[str, Any]) -> None:
        """A request that the server does not take: neither in another batch."""
        if (item := self.buying.todo.pop(key, None)) is None:
            return
        self.buying.bar.advance()
        request = self.buying.prompt.request(self.buying.passages[item.passage])
        body = json.dumps({"error": error}).encode()
        failure = refusal(self.buying.api.server, MESSAGES, 400, body, field_names(request))
        if isinstance(failure, UserError):
            self.buying.stop = self.buying.stop or failure
        elif isinstance(failure, RejectedError):
            what = f" ({failure.what})" if failure.what else ""
            self.buying.reject(key, failure, f"the server takes no such request{what}")

    def _done(self, key: str, failure: str | None) -> None:
        if self.buying.todo.pop(key, None) is not None:
            self.buying.bar.advance()
            if failure is not None:
                self.buying.give_up(key, failure)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is a reply. Raises UserError after too many attempts."""
        attempts = self.buying.config.attempts
        for failures in range(1, attempts + 1):
            try:
                return await ask()
            except (RefusedError, BrokenError, UnclearError, RejectedError) as error:
                reason = str(error)
                if isinstance(error, RefusedError):
                    self.buying.heed(error)
                    if self.buying.stop:
                        raise self.buying.stop from None
                await self.buying.wait(failures, getattr(error, "retry_after", None))
        raise UserError(
            f"no reply from {self.buying.api.server} in {attempts} attempts ({reason}); what was submitted goes on"
        )


def _size(request: dict[str, Any]) -> int:
    return len(json.dumps(request).encode())
