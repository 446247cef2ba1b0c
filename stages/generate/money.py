"""Tokens and dollars. Amounts are whole nanodollars, so that sums are exact."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldtune.runtime.errors import UserError
from stages.generate.config import MessagesConfig

USD = 1_000_000_000
CHARACTERS_PER_TOKEN = 4  # of English text, as a rule of thumb
# A query in JSON with its kind has 102 characters on the mean of the sample's recorded queries.
_TOKENS_PER_QUERY = 25
_TOKENS_AROUND = 15  # the JSON around the queries; in the request, what stands around the messages
_TOKENS_OF_SCHEMA = 1000  # at most, for what the server adds of its own to a request with a schema


def usd(amount: int) -> str:
    """Dollars, with more digits where they are few."""
    return f"${amount / USD:,.{2 if amount >= USD else 4}f}"


@dataclass(frozen=True)
class Price:
    """Nanodollars per token."""

    input: float
    output: float

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Nanodollars, rounded up."""
        return math.ceil(round(input_tokens * self.input + output_tokens * self.output, 3))


FREE = Price(0, 0)


def price(config: MessagesConfig, *, batch: bool) -> Price:
    """Raises UserError where the model has no price in the config: a budget would mean nothing."""
    if config.model not in config.prices:
        raise UserError(f"conf/generator/: messages.prices has no price for {config.model}: add it, with the date")
    listed = config.prices[config.model]
    part = 1 - config.batch_discount if batch else 1
    return Price(listed.input * 1000 * part, listed.output * 1000 * part)


def expected_tokens(request: Mapping[str, Any], count: int) -> tuple[int, int]:
    """Tokens in and out that a request for `count` queries is expected to take, from its characters."""
    characters = len(request.get("system", "")) + sum(len(message["content"]) for message in request["messages"])
    return characters // CHARACTERS_PER_TOKEN + _TOKENS_AROUND, count * _TOKENS_PER_QUERY + _TOKENS_AROUND


def most(size: int, max_tokens: int, price: Price) -> int:
    """Nanodollars that no reply to a request of `size` bytes costs more than: a token is at least one byte."""
    return price.cost(size + _TOKENS_OF_SCHEMA, max_tokens)
