"""Queries that a model behind the Anthropic Messages API writes."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from fieldtune.buying import money
from fieldtune.buying.refusals import bare_url
from fieldtune.corpus.style import Style, read_style
from fieldtune.runtime.console import note, progress
from fieldtune.runtime.errors import UserError
from stages.generate import cached_replies, pricing
from stages.generate.batches import Batches
from stages.generate.buying import Buying
from stages.generate.config import GenerateConfig, MessagesConfig
from stages.generate.one_by_one import OneByOne
from stages.generate.plan import Plan, allowed_failures, plan
from stages.generate.prompt import Prompt
from stages.generate.provider import Provider, Query
from stages.generate.store import Store

_REMEDIES = {
    "the model only thought": (
        "Switch its thinking off (`extra: {chat_template_kwargs: {enable_thinking: false}}`), or set a larger "
        "max_tokens. "
    ),
}


class Bought(Provider):
    """Asks for what the store does not have; every passage's queries then come out of the store.

    After `queries`, `keys` are those of the passages' replies.
    """

    writer: ClassVar[str]  # the provider that stands with its queries
    family: ClassVar[str]  # of servers, as `Prompt` has it
    in_batches: ClassVar[bool] = False

    def __init__(
        self, config: MessagesConfig, store: Store, style: Style | None = None, languages: Sequence[str] = ()
    ) -> None:
        self.config = config
        self.store = store
        self.prompt = Prompt(config, self.family, style, languages)
        self.keys: list[str] = []

    @classmethod
    def configured(cls, config: GenerateConfig) -> Self:
        if config.generator.messages is None:
            raise UserError(f"conf/generator/: `{cls.name}` needs `messages:`, as in conf/generator/{Claude.name}.yaml")
        if config.generator.messages.protocol == "openai" and cls.family != Local.family:
            raise UserError(f"conf/generator/: messages.protocol: openai is for `{Local.name}`, not for `{cls.name}`")
        style, languages = read_style(Path(config.style)), config.generator.languages or ()
        return cls(config.generator.messages, Store(), style, languages)

    def queries(self, passages: Sequence[dict[str, Any]]) -> tuple[list[Query], dict[str, int]]:
        """Raises UserError if the budget is reached, too many passages have no queries, or the server does not answer;
        what was bought until then is in the store.
        """
        rows = self.prompt.rows(passages)
        planned = self._plan(rows)
        note(planned.line())
        self.keys = planned.keys
        without_reply: dict[str, str] = {}
        if planned.todo:
            without_reply = self._buy(rows, planned)
        return self._collect(rows, without_reply)

    def plan(self, passages: Sequence[dict[str, Any]]) -> Plan:
        """Plan the requests, after a colleague's replies went into the store."""
        return self._plan(self.prompt.rows(passages))

    def _plan(self, rows: Sequence[Mapping[str, Any]]) -> Plan:
        planned = plan(self.prompt, self.store, rows, paid=self.traits.paid)
        if planned.todo:
            refill = partial(self.store.refill, cached_replies.read())
            if self.store.transaction([refill]) != [0]:
                planned = plan(self.prompt, self.store, rows, paid=self.traits.paid)
        return planned

    def _buy(self, rows: Sequence[Mapping[str, Any]], planned: Plan) -> dict[str, str]:
        from stages.generate import api  # takes a second to import, and only who asks needs it

        server, key = api.access(self.config, own=not self.traits.paid)
        if server.url != bare_url(self.config.base_url):
            note(f"requests go to {server}, as ANTHROPIC_BASE_URL says")
        price = pricing.price(self.config, batch=False) if self.traits.paid else money.FREE

        async def buy() -> Buying:
            async with api.connect(server, key, self.config.timeout, self.config.protocol) as connection:
                with progress("asking", len(planned.todo)) as bar:
                    buying = Buying(self.prompt, self.store, rows, planned, connection, bar)
                    batches = Batches(buying)
                    way = batches if self.in_batches else OneByOne(buying, price)
                    await batches.attach()
                    await way.run()
                    while buying.todo and not buying.stop:
                        await buying.wait_for_others()
                        await batches.attach()  # of a run that has ended meanwhile
                        await way.run()
                    return buying

        with self.store.run():
            buying = asyncio.run(buy())
        if buying.stop and str(buying.stop):
            here = self.store.standing(dict.fromkeys(self.keys))
            done = sum(here.get(key, (False, 0))[0] for key in self.keys)
            raise UserError(
                f"{buying.stop}. {done:,} of {len(rows):,} {self.prompt.unit} have their queries, and those are kept: "
                "run `dvc repro` to go on" + (", with a higher budget" if "budget_usd" in str(buying.stop) else "")
            )
        return buying.without_reply

    def _collect(
        self, rows: Sequence[Mapping[str, Any]], without_reply: dict[str, str]
    ) -> tuple[list[Query], dict[str, int]]:
        written = self.store.queries(dict.fromkeys(self.keys))
        failed = [key for key in self.keys if key not in written]
        reason_of = {reply.key: reply.reason for reply in self.store.replies(failed)} | without_reply
        reasons = Counter(reason_of[key] for key in failed if key in reason_of)
        if len(failed) > allowed_failures(self.config, len(rows)):
            listed = "; ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common(3))
            raise UserError(
                f"{reasons.total():,} of {len(rows):,} {self.prompt.unit} got no queries ({listed}): more than "
                f"failed_share {self.config.failed_share:g} in conf/generator/. "
                + "".join(remedy for reason, remedy in _REMEDIES.items() if reason in reasons)
                + "What was bought is kept; `dvc repro` "
                f"asks for these and the {len(failed) - reasons.total():,} others that have none yet"
            )
        queries = [
            Query(row["id"], text, kind, self.writer, row.get("query_language"))
            for row, key in zip(rows, self.keys, strict=True)
            for kind, text in written.get(key, ())
        ]
        lost, lost_cost = self.store.lost_requests(self.prompt.scope)
        counts = {
            self.writer: len(queries),
            f"{self.writer}_passages_without_queries": len(failed),
            **{f"{self.writer}_without_queries: {reason}": count for reason, count in sorted(reasons.items())},
            f"{self.writer}_requests_lost": lost,
            f"{self.writer}_requests_lost_microdollars_at_most": -(-lost_cost // 1000),
        }
        return queries, counts


class Claude(Bought):
    """Many requests at once."""

    name = writer = "claude"
    family = "anthropic"


class ClaudeBatch(Claude):
    """The same requests at half the price, within a day; the queries are the same, and so is their writer."""

    name = "claude_batch"
    in_batches = True


class Local(Bought):
    """A server of one's own, free."""

    name = writer = family = "local"


def costs_by_model(store: Store, keys: Sequence[str]) -> dict[str, dict[str, float]]:
    """Tokens and dollars of all replies under these keys, by model."""
    totals: dict[str, list[int]] = {}
    for reply in store.replies(keys):
        total = totals.setdefault(reply.model, [0, 0, 0])
        for place, amount in enumerate((reply.input_tokens, reply.output_tokens, reply.cost)):
            total[place] += amount
    return {
        model: {"input_tokens": tokens_in, "output_tokens": tokens_out, "cost_usd": cost / money.USD}
        for model, (tokens_in, tokens_out, cost) in sorted(totals.items())
    }
