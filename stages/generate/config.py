"""Settings of the stage `generate`."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from fieldtune.corpus.providers import TRAITS
from fieldtune.runtime.settings import any_mapping, between, language_tags, one_of, some_of


@dataclass
class PriceConfig:
    """Prices of a model, in dollars per million tokens."""

    input: float = between(0, 1000)  # dollars per million tokens of a request
    output: float = between(0, 1000)  # dollars per million tokens of a reply


@dataclass
class BatchConfig:
    """Limits of Message Batches."""

    requests: int = between(1, 100_000)  # most in one batch; the API takes 100,000
    megabytes: float = between(0.01, 256)  # most in one batch; the API takes 256, and a part is held in memory
    poll: float = between(0.01, 3600)  # seconds between two looks at a batch, which takes minutes to hours


@dataclass
class MessagesConfig:
    """A model behind the Anthropic Messages API, or OpenAI's: what it is asked, where, and for how much.

    `system` and `examples`, or `styled` and the style, `in_language`, `reply_format`, `user`, `model`,
    `queries_per_passage`, `max_tokens`, `thinking`, `output_config`, `protocol` and `extra` change the answer, so a
    change of one of them asks again; going back finds the earlier replies. The others cost nothing to change.
    """

    base_url: str = MISSING  # with or without /v1; the environment's ANTHROPIC_BASE_URL overrides it for `claude`
    protocol: str = one_of("anthropic", "openai")  # openai: /v1/chat/completions, for `local`
    # The environment variable with the key; null: those of the official client for `claude`, no key for `local`
    key_variable: str | None = MISSING
    model: str = MISSING  # the model's name at the server
    # The same for all passages; {count}: queries_per_passage, {examples}: `examples` as a list
    system: str = MISSING
    # Added to `system` or `styled` for each of `generator.languages`; {language}: its tag
    in_language: str = MISSING
    # Added to `system` or `styled` for a server that may ignore a schema: for `local`, and with `output_config: none`;
    # {count}, {shape}: an example of the JSON
    reply_format: str = MISSING
    # For one passage; {title}: document title and headings, {text}: the passage
    user: str = MISSING
    # Queries that show the style in `system`
    examples: list[str] = MISSING
    # In place of `system` if `style:` names a style; {count}, {examples}: its examples, {population}: what was measured
    styled: str = MISSING
    queries_per_passage: int = between(1, 10)  # 3 to 5 as a rule; a reply with one fewer or one more is taken too
    max_tokens: int = between(64, 65_536)  # of a reply; a guard, since what is not written is not paid
    thinking: str = one_of("disabled", "default")  # thinking costs output tokens, and queries need none
    # A JSON schema of the reply; none: for gateways that do not know `output_config` (or `response_format`)
    output_config: str = one_of("schema", "none")
    # Further fields of the request's body, such as temperature
    extra: dict[str, Any] = any_mapping()  # noqa: RUF009 (it is a dataclasses.field)
    budget_usd: float = between(0, 1_000_000)  # most that this repository spends on this prompt, all runs together
    prices: dict[str, PriceConfig] = MISSING  # by model, as of prices_date
    prices_date: str = MISSING  # when the prices were looked up; `fieldtune estimate` shows it
    batch_discount: float = between(0, 1)  # the part of the price that a batch saves
    max_concurrency: int = between(1, 1000)  # requests at once, at most; fewer if the server refuses
    timeout: float = between(0.1, 3600)  # seconds for one request
    attempts: int = between(1, 100)  # of one request that fails on the way, before its passage is given up
    backoff: float = between(0.01, 60)  # seconds before the second attempt; doubles from there, up to a minute
    # Of the passages; with more without queries the stage fails. One of them may fail in any case, with 0 none.
    failed_share: float = between(0, 1)
    batch: BatchConfig = MISSING


@dataclass
class GeneratorConfig:
    """A way to get queries, as `conf/generator/<choice>.yaml` describes it."""

    # In this order; each adds its queries
    providers: list[str] = some_of(*TRAITS)  # noqa: RUF009 (it is a dataclasses.field)
    words: int = between(1, 12)  # `keyphrases`: length of its query of key words
    # `keyphrases`: share of the passages that get them; each passage trained on costs time
    share: float = between(0.01, 1.0)
    # Languages of the queries that a model writes, `queries_per_passage` in each, for passages in any language; empty
    # or null: the passage's own. A language that is added buys its own queries only
    languages: list[str] | None = language_tags()  # noqa: RUF009
    # For providers that ask a model; the others need none
    messages: MessagesConfig | None = field(default=None)


@dataclass
class GenerateConfig:
    generator: GeneratorConfig = MISSING  # the file of conf/generator/ that `generator:` in params.yaml names
    # Queries that a team has already, `pairs:` of params.yaml: beside the generator's; alone with `generator: pairs`
    pairs: str = MISSING
    style: str = MISSING  # how people type, `style:` of params.yaml
    # Passages that a model writes queries for, drawn by their text within documents in turn; null: all
    passages: int | None = between(1, 100_000_000)
    seed: int = between(0, 2**31)  # draws the passages that get key phrases
