"""The requests to send, and their expected cost, before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldtune.buying import money
from stages.generate import pricing
from stages.generate.config import MessagesConfig
from stages.generate.prompt import Prompt
from stages.generate.store import Store

TRIES = 2  # replies that a passage may have: one that fails is asked for once more


@dataclass(frozen=True)
class Todo:
    """A request that is to be sent."""

    passage: int  # its place among `Prompt.rows`; others with the same title and text share its reply
    tries: int  # replies to ask for, at most


@dataclass(frozen=True)
class Plan:
    keys: list[str]  # of each of `Prompt.rows`
    unit: str  # the plural of what has a key
    todo: dict[str, Todo]  # by key
    failed: int  # passages whose replies have all failed, and that are not asked for again
    input_tokens: int  # expected, of `todo`
    output_tokens: int
    now: int  # expected nanodollars, one by one
    batch: int  # expected nanodollars, in a batch
    prices: str

    def line(self) -> str:
        """The line that a person decides on."""
        here = len(self.keys) - sum(key in self.todo for key in self.keys)
        start = f"{len(self.keys):,} {self.unit}: {here:,} in the store, {len(self.todo):,} to ask for"
        if not self.todo:
            return f"{start}: nothing to pay"
        tokens = f"about {self.input_tokens:,} tokens in, {self.output_tokens:,} out"
        cost = f"{money.usd(self.now)}, in a batch {money.usd(self.batch)} ({self.prices})"
        return f"{start}; {tokens}: {cost if self.now else 'free'}"


def plan(prompt: Prompt, store: Store, passages: Sequence[Mapping[str, Any]], *, paid: bool) -> Plan:
    """Compare the passages, as `Prompt.rows` gives them, with the store; with `paid` each token has its price.

    Passages whose replies have failed are asked for again only if there are more of them than the stage allows.
    """
    config = prompt.config
    keys = [prompt.key(prompt.request(passage)) for passage in passages]
    standing = store.standing(dict.fromkeys(keys))
    failed = {key for key, (ok, count) in standing.items() if not ok and count >= TRIES}
    failed_passages = sum(key in failed for key in keys)
    again = failed_passages > allowed_failures(config, len(passages))
    todo: dict[str, Todo] = {}
    input_tokens = output_tokens = 0
    for number, key in enumerate(keys):
        ok, count = standing.get(key, (False, 0))
        tries = 1 if key in failed and again else TRIES - count
        if ok or tries <= 0 or key in todo:
            continue
        todo[key] = Todo(number, tries)
        expected = pricing.expected_tokens(prompt.request(passages[number]), config.queries_per_passage)
        input_tokens += expected[0]
        output_tokens += expected[1]
    now, batch = (
        (pricing.price(config, batch=batch) if paid else money.FREE).cost(input_tokens, output_tokens)
        for batch in (False, True)
    )
    prices = f"{config.model}, prices of {config.prices_date}"
    failures = 0 if again else failed_passages
    return Plan(keys, prompt.unit, todo, failures, input_tokens, output_tokens, now, batch, prices)


def allowed_failures(config: MessagesConfig, passages: int) -> int:
    """Passages that may end without queries: one in any case, or a small corpus with one that the model refuses fails
    each time; none where `failed_share` is 0.
    """
    return max(1, int(config.failed_share * passages)) if config.failed_share else 0
