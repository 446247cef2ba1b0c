"""Tokens and prices of a request for queries. Amounts are whole nanodollars."""

from collections.abc import Mapping
from typing import Any

from fieldtune.buying.money import CHARACTERS_PER_TOKEN, Price
from fieldtune.runtime.errors import UserError
from stages.generate.config import MessagesConfig

# A query in JSON with its kind has 102 characters on the mean of the sample's recorded queries.
_TOKENS_PER_QUERY = 25
_TOKENS_AROUND = 15  # the JSON around the queries; in the request, what stands around the messages
_TOKENS_OF_SCHEMA = 1000  # at most, for what the server adds of its own to a request with a schema


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
