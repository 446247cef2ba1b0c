"""Vectors from an embeddings API: what is to buy, its cost before anything is sent, and the requests."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fieldtune.buying.ledger import Committer
from fieldtune.buying.money import CHARACTERS_PER_TOKEN, USD, Price, usd
from fieldtune.runtime.console import Bar, note, progress
from fieldtune.runtime.errors import UserError
from stages.rivals.config import Api
from stages.rivals.vectors import Bought, VectorLedger, read_bought

Kind = Literal["query", "document"]
Texts = Mapping[Kind, Sequence[str]]
Vectors = npt.NDArray[np.float32]

_LOOK_AGAIN = 0.2  # seconds, while others buy the same or money is reserved
_MORE_TOKENS = 8  # at most, that a server adds to a text


@dataclass(frozen=True)
class Plan:
    """The vectors that a rival has to buy, and their expected cost."""

    name: str
    texts: int
    todo: dict[str, tuple[Kind, str]]  # by key
    tokens: int  # expected, of `todo`
    cost: int  # expected nanodollars
    prices: str

    def line(self) -> str:
        """The line that a person decides on."""
        start = f"rival {self.name}: {self.texts:,} texts: {self.texts - len(self.todo):,} in the store"
        if not self.todo:
            return f"{start}, nothing to buy"
        cost = f"{usd(self.cost)} ({self.prices})" if self.cost else "free"
        return f"{start}, {len(self.todo):,} to embed; about {self.tokens:,} tokens: {cost}"


class EmbeddingsRival:
    """An embeddings API of `rivals.yaml`."""

    def __init__(self, name: str, settings: Api, ledger: VectorLedger, place: str) -> None:
        """`place`: the file that names it, for messages."""
        self.name = name
        self.settings = settings
        self.ledger = ledger
        self.place = place
        self.price = Price(settings.price * 1000, 0)
        self.scope = self._digest({})

    def plan(self, texts: Texts) -> Plan:
        """Compare the texts with the store, after a colleague's vectors went into it."""
        text_of = self._by_key(texts)
        missing = self.ledger.missing(text_of)
        if missing:
            self.ledger.transaction([partial(self.ledger.refill, read_bought())])
            missing = self.ledger.missing(missing)
        todo = {key: text_of[key] for key in missing}
        tokens = sum(len(self.prefix(kind) + text) // CHARACTERS_PER_TOKEN + 2 for kind, text in todo.values())
        prices = f"{self.settings.model}, price of {self.settings.prices_date or 'an unknown date'}"
        return Plan(self.name, len(text_of), todo, tokens, self.price.cost(tokens, 0), prices)

    def embed(self, texts: Texts) -> dict[Kind, Vectors]:
        """Unit vectors of the texts of each kind, [texts, dimension]; those that are not in the store are bought.

        Raises UserError if the budget is reached or the server does not answer; what was bought until then is kept.
        """
        planned = self.plan(texts)
        note(planned.line())
        if planned.todo:
            self._buy(planned)
        return {kind: self._stored(kind, of_kind) for kind, of_kind in texts.items()}

    def tokens(self, kind: Kind, texts: Sequence[str]) -> float:
        """The mean number of tokens that a text was billed for; 0 if there are none."""
        counts = [bought.tokens for bought in self.ledger.bought(self.keys(kind, texts))]
        return sum(counts) / len(counts) if counts else 0.0

    def keys(self, kind: Kind, texts: Sequence[str]) -> list[str]:
        """The key of each text in the store: the request's content, whatever the server's address."""
        scope = self._digest({"prefix": self.prefix(kind), "extra": self._extra(kind)})
        return [hashlib.sha256(f"{scope}\n{text}".encode(errors="surrogatepass")).hexdigest() for text in texts]

    def prefix(self, kind: Kind) -> str:
        return self.settings.query_prefix if kind == "query" else self.settings.passage_prefix

    def request(self, kind: Kind, texts: Sequence[str]) -> bytes:
        """The JSON of a request."""
        settings = self.settings
        dimensions = {} if settings.dimensions is None else {"dimensions": settings.dimensions}
        inputs = [self.prefix(kind) + text for text in texts]
        body = {"model": settings.model, "input": inputs, **dimensions, **settings.extra, **self._extra(kind)}
        return json.dumps(body).encode()

    def _extra(self, kind: Kind) -> dict[str, Any]:
        return self.settings.query_extra if kind == "query" else self.settings.passage_extra

    def _digest(self, more: Mapping[str, Any]) -> str:
        settings = self.settings
        depends = {"model": settings.model, "dimensions": settings.dimensions, "all": settings.extra, **more}
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:16]

    def _by_key(self, texts: Texts) -> dict[str, tuple[Kind, str]]:
        return {
            key: (kind, text)
            for kind, of_kind in texts.items()
            for key, text in zip(self.keys(kind, of_kind), of_kind, strict=True)
        }

    def _stored(self, kind: Kind, texts: Sequence[str]) -> Vectors:
        keys = self.keys(kind, texts)
        stored = {bought.key: np.frombuffer(bought.vector, dtype="<f4") for bought in self.ledger.bought(keys)}
        if len({len(vector) for vector in stored.values()}) > 1:
            raise UserError(
                f"{self.place}: {self.name} gave vectors of different lengths, so {self.settings.model} is not one "
                "model any more: name another in `model:`"
            )
        vectors = np.array([stored[key] for key in keys], dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return unit

    def _buy(self, planned: Plan) -> None:
        from stages.rivals.api import access, connect  # takes a second to import, and only who buys needs it

        settings = self.settings
        server, key = access(self.name, settings, self.place, os.environ)

        async def buy() -> None:
            async with connect(server, key, settings.timeout) as api:
                with progress(f"embedding with {self.name}", len(planned.todo)) as bar:
                    await Buying(self, api, bar).run(planned.todo)

        with self.ledger.run():
            asyncio.run(buy())


class Buying:
    """One run that buys vectors. `stop` is why no further request may be sent."""

    def __init__(self, rival: EmbeddingsRival, api: Any, bar: Bar) -> None:
        from fieldtune.buying.patience import Patience
        from fieldtune.buying.window import Window

        self.rival = rival
        self.ledger = rival.ledger
        self.api = api
        self.bar = bar
        self.commit = Committer(rival.ledger)
        self.window = Window(rival.settings.max_concurrency)
        self.patience = Patience(api.server, rival.settings.backoff)
        self.budget = round(rival.settings.budget_usd * USD)
        self.stop: UserError | None = None
        self._answered = 0
        self._in_flight = 0

    async def run(self, todo: Mapping[str, tuple[Kind, str]]) -> None:
        """Buy all. Raises UserError with what is kept if it cannot."""
        left = list(todo)
        while left and not self.stop:
            batches = iter(self._batches(left, todo))
            async with asyncio.TaskGroup() as group:
                for _ in range(self.rival.settings.max_concurrency):
                    group.create_task(self._work(batches, todo))
            if left := self.ledger.missing(left):
                await asyncio.sleep(_LOOK_AGAIN)  # the rest is under way in another run
        if self.stop:
            kept = len(todo) - len(self.ledger.missing(todo))
            raise UserError(
                f"rival {self.rival.name}: {self.stop}. {kept:,} of {len(todo):,} vectors were bought, and those are "
                "kept: run `dvc repro` to go on"
            )

    def _batches(self, keys: Sequence[str], todo: Mapping[str, tuple[Kind, str]]) -> list[list[str]]:
        """Keys of texts of one kind, as many as a request holds."""
        size = self.rival.settings.texts
        of_kinds = [[key for key in keys if todo[key][0] == kind] for kind in ("document", "query")]
        return [of_kind[start : start + size] for of_kind in of_kinds for start in range(0, len(of_kind), size)]

    async def _work(self, batches: Any, todo: Mapping[str, tuple[Kind, str]]) -> None:
        try:
            for keys in batches:
                if self.stop:
                    return
                await self._ask(todo[keys[0]][0], {key: todo[key][1] for key in keys})
        except UserError as error:  # the ledger cannot be written
            self.stop = self.stop or error

    async def _ask(self, kind: Kind, texts: Mapping[str, str]) -> None:
        """Ask until there are vectors, or `stop` is set."""
        from fieldtune.buying.refusals import BrokenError, RefusedError, RejectedError, UnclearError

        failures, answered = 0, self._answered
        while reservations := await self._reserve(kind, texts):
            wanted = [key for key in texts if key in reservations]
            undo: Callable[[int], None] = self.ledger.lose  # as it is if this is interrupted
            try:
                reply = await self._send(self.rival.request(kind, [texts[key] for key in wanted]), len(wanted))
                await self._keep(kind, {key: texts[key] for key in wanted}, reservations, reply)
                return
            except (UserError, RejectedError) as error:
                undo = self.ledger.release
                problem = f"{self.api.server} does not take these texts ({error})"
                self.stop = self.stop or (error if isinstance(error, UserError) else UserError(problem))
            except (RefusedError, BrokenError, UnclearError) as error:
                undo = self.ledger.lose if isinstance(error, UnclearError) else self.ledger.release
                if isinstance(error, RefusedError) and self._answered > answered:
                    failures, answered = 0, self._answered  # others are served: this one's turn comes
                failures += 1
                if failures >= self.rival.settings.attempts:
                    last = f"no vectors from {self.api.server} in {failures} attempts (the last: {error})"
                    self.stop = self.stop or UserError(last)
            finally:
                self._in_flight -= 1
                await self.commit(partial(_each, undo, list(reservations.values())))
            if self.stop:
                return
            await self.patience.wait(failures)

    async def _send(self, request: bytes, count: int) -> "Reply":
        from fieldtune.buying.refusals import RefusedError

        async with self.window as place:
            if self.stop:
                raise self.stop
            try:
                reply = read_reply(await self.api.embeddings(request), count)
            except RefusedError as error:
                self.window.refused(place, error.retry_after)
                self.stop = self.stop or self.patience.heed(error)
                if self.stop:
                    self.window.reopen()
                raise
            self.window.replied()
        self._answered += 1
        return reply

    async def _keep(
        self, kind: Kind, texts: Mapping[str, str], reservations: Mapping[str, int], reply: "Reply"
    ) -> None:
        """Write the vectors of a reply; what it cost is shared out by the texts' lengths."""
        sizes = [self._most_tokens(kind, text) for text in texts.values()]
        total = sum(sizes) if reply.tokens is None else reply.tokens
        tokens, costs = shares(total, sizes), shares(self.rival.price.cost(total, 0), sizes)
        bought = [
            (reservations[key], Bought(key, self.rival.scope, vector.astype("<f4").tobytes(), *billed))
            for key, vector, billed in zip(texts, reply.vectors, zip(tokens, costs, strict=True), strict=True)
        ]
        await self.commit(partial(self.ledger.settle, bought))
        self.bar.advance(len(bought))

    async def _reserve(self, kind: Kind, texts: Mapping[str, str]) -> dict[str, int]:
        """Reserve money for the texts that are neither here nor under way elsewhere; none if it is not to be sent."""
        amounts = {key: self.rival.price.cost(self._most_tokens(kind, text), 0) for key, text in texts.items()}
        while not self.stop:
            reserved, full = await self.commit(partial(self._reserve_all, amounts))
            if not full:
                self._in_flight += bool(reserved)
                return dict(reserved)
            if not self._in_flight:
                self.stop = self.stop or self._budget_reached()
            else:  # what is in flight may cost less than it could
                await asyncio.sleep(_LOOK_AGAIN)
        return {}

    def _reserve_all(self, amounts: Mapping[str, int]) -> tuple[dict[str, int], bool]:
        """Inside a transaction: all of them, or none and True if the budget does not hold them."""
        reserved: dict[str, int] = {}
        for key, amount in amounts.items():
            outcome = self.ledger.reserve(key, self.rival.scope, amount, self.budget)
            if outcome == "budget":
                _each(self.ledger.release, list(reserved.values()))
                return {}, True
            if isinstance(outcome, int):
                reserved[key] = outcome
        return reserved, False

    def _most_tokens(self, kind: Kind, text: str) -> int:
        """No text has more: a token is at least one byte."""
        return len((self.rival.prefix(kind) + text).encode(errors="surrogatepass")) + _MORE_TOKENS

    def _budget_reached(self) -> UserError:
        settings = self.rival.settings
        budget = f"budget_usd {settings.budget_usd:g} in {self.rival.place}"
        return self.ledger.budget_reached(self.rival.scope, settings.model, budget)


def _each(undo: Callable[[int], None], reservations: Sequence[int]) -> None:
    for reservation in reservations:
        undo(reservation)


@dataclass(frozen=True)
class Reply:
    vectors: Vectors  # [texts, dimension]
    tokens: int | None  # billed; None: the server does not say


def read_reply(value: Any, count: int) -> Reply:
    """Read the JSON of a reply to `count` texts. Raises UnclearError if it is something else."""
    from fieldtune.buying.refusals import UnclearError

    try:
        rows = sorted(value["data"], key=lambda row: int(row["index"]))
        vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        usage = value.get("usage") or {}
        tokens = usage.get("total_tokens", usage.get("prompt_tokens"))
        if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise ValueError
        return Reply(vectors, None if tokens is None else int(tokens))
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UnclearError("a reply that is not embeddings") from None


def shares(total: int, sizes: Sequence[int]) -> list[int]:
    """A whole amount shared out in proportion to sizes, in whole parts that add up to it."""
    ends = [0, *accumulate(sizes)]
    return [total * end // ends[-1] - total * start // ends[-1] for start, end in pairwise(ends)]
