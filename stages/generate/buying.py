"""One run that buys replies: what its ways, one by one and in batches, have in common."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fieldtune.buying.ledger import Committer
from fieldtune.buying.money import USD, Price
from fieldtune.buying.patience import Patience
from fieldtune.buying.refusals import RefusedError, RejectedError
from fieldtune.runtime.console import Bar, note
from fieldtune.runtime.errors import UserError
from stages.generate.answers import Answer
from stages.generate.plan import Plan, allowed_failures
from stages.generate.prompt import Prompt
from stages.generate.reply import UnusableError, read_queries
from stages.generate.store import Reply, Store

if TYPE_CHECKING:
    from stages.generate.api import Api

_FIRST = 3  # requests; if the server takes none of so many, and there is no reply yet, it takes none at all
_LOOK_AGAIN = 0.5  # seconds, while another run buys the same


class Buying:
    """The state of a run while replies are bought. `stop` is why no further request may be sent."""

    def __init__(
        self, prompt: Prompt, store: Store, passages: Sequence[Mapping[str, Any]], plan: Plan, api: "Api", bar: Bar
    ) -> None:
        config = prompt.config
        self.config = config
        self.prompt = prompt
        self.store = store
        self.commit = Committer(store)
        self.passages = passages
        self.todo = dict(plan.todo)
        self.api = api
        self.bar = bar
        self.patience = Patience(api.server, config.backoff)
        self.budget = round(config.budget_usd * USD)
        self.stop: UserError | None = None
        self.without_reply: dict[str, str] = {}  # why requests that were given up have no reply, by key
        self.answered = False
        self._failed = plan.failed
        self._rejections: Counter[str] = Counter()
        # Of the first: 0 if others have been answered before
        self._first = min(_FIRST, len(plan.todo)) if len(plan.todo) == len(set(plan.keys)) else 0
        self._waits = False
        self._allowed = allowed_failures(config, len(passages))

    def settle(
        self, reservation: int, key: str, passage: Mapping[str, Any], answer: Answer, price: Price
    ) -> tuple[bool, asyncio.Future[Any]]:
        """Keep a reply: True if it is usable, and a future that is done once it is on disk."""
        reason, queries = "", list[tuple[str, str]]()
        try:
            queries = read_queries(
                answer.text, answer.stop_reason, passage, self.config.queries_per_passage, self.prompt.kinds
            )
        except UnusableError as error:
            reason = str(error)
        cost = price.cost(answer.input_tokens, answer.output_tokens)
        tokens = answer.input_tokens, answer.output_tokens
        reply = Reply(key, self.prompt.scope, self.config.model, reason, answer.text, queries, *tokens, cost)
        return not reason, self.commit(partial(self.store.settle, reservation, reply))

    def give_up(self, key: str, reason: str = "") -> None:
        """Count a passage without queries; `reason` if no bought reply has it."""
        if reason:
            self.without_reply[key] = reason
        self._failed += 1
        self._stop_if_too_many()

    def reject(self, key: str, error: RejectedError, reason: str = "") -> None:
        """Count a passage whose request the server does not take. If it takes none, `stop` says so."""
        self.without_reply[key] = reason or f"the server takes no such request ({error})"
        self._failed += 1
        self._rejections[str(error)] += 1
        if not self._first or self.answered or len(self._rejections) > 1:
            self._stop_if_too_many()
        elif self._rejections[str(error)] >= self._first:
            remedy = f": {error.remedy}" if error.remedy else ""
            self.stop = UserError(f"{self.api.server} takes none of these requests ({error}){remedy}")

    def _stop_if_too_many(self) -> None:
        if self._failed > self._allowed and not self.stop:
            self.stop = UserError("")  # the provider says how many and why

    async def wait(self, failures: int, retry_after: float | None = None) -> None:
        """Wait after so many failures in a row, or as long as the server says."""
        await self.patience.wait(failures, retry_after)

    def heed(self, error: RefusedError) -> None:
        """Say how long the server asks to wait. If it is too long for the second time, `stop` is set."""
        too_long = self.patience.heed(error)
        self.stop = self.stop or too_long

    async def wait_for_others(self) -> None:
        """Wait before looking again whether another run has got what is left to do."""
        if not self._waits:
            self._waits = True
            note(f"{len(self.todo):,} of the requests are under way in another run: waiting for their replies")
        await asyncio.sleep(_LOOK_AGAIN)

    def budget_reached(self) -> UserError:
        return self.store.budget_reached(self.prompt.scope, "this prompt", f"budget_usd {self.config.budget_usd:g}")
