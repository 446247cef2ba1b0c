"""The request to a model for a passage, and the key of the answer."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fieldtune.corpus.providers import STYLED
from fieldtune.corpus.style import Style, described
from fieldtune.runtime.errors import UserError
from stages.generate.config import MessagesConfig
from stages.generate.provider import MODEL_KINDS


def _schema(kinds: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of a reply. The API takes no lengths of arrays here: they are checked in the reply."""
    item = {
        "type": "object",
        "properties": {"kind": {"type": "string", "enum": list(kinds)}, "query": {"type": "string"}},
        "required": ["kind", "query"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"queries": {"type": "array", "items": item}},
        "required": ["queries"],
        "additionalProperties": False,
    }


def _shape(kinds: Sequence[str], count: int) -> str:
    """An example of a reply, as a model is shown it: the kinds in turn, and dots for queries."""
    items = [{"kind": kinds[number % len(kinds)], "query": "..."} for number in range(count)]
    return json.dumps({"queries": items})


_PLACE = re.compile(r"\{(\w+)\}")
_OURS = {"model", "max_tokens", "system", "messages", "stream"}  # fields that have a setting, or that we rely on


class Prompt:
    """Renders requests; `scope` stands for the prompt's text, whatever the passage and the model: it has one budget.

    `family` tells apart servers that may answer the same request otherwise: `anthropic` (in batches or not), `local`.
    """

    def __init__(
        self, config: MessagesConfig, family: str, style: Style | None = None, languages: Sequence[str] = ()
    ) -> None:
        """With a `style` the queries imitate it, otherwise they are of four kinds; without `languages` (BCP 47 tags)
        they are in the passage's own.

        Raises UserError if the prompt leaves out the passage or names a place that does not exist.
        """
        self.config = config
        self.family = family
        self.kinds = (STYLED,) if style else MODEL_KINDS
        self.languages = languages
        name, system = ("styled", config.styled) if style else ("system", config.system)
        examples = style.examples if style else config.examples
        values = {
            "count": str(config.queries_per_passage),
            "examples": "\n".join(f"- {example}" for example in examples),
            **({"population": _population(style)} if style else {}),
        }
        text = [_filled(system, values, name)]
        if in_words := family == "local" or config.output_config == "none":
            shape = {"count": values["count"], "shape": _shape(self.kinds, config.queries_per_passage)}
            text.append(_filled(config.reply_format, shape, "reply_format"))
        self._system = "\n\n".join(filter(None, text))
        self._in_language = {tag: _filled(config.in_language, {"language": tag}, "in_language") for tag in languages}
        if not {"title", "text"} <= set(_PLACE.findall(config.user)):
            raise UserError("conf/generator/: messages.user must hold {title} and {text}")
        _filled(config.user, {"title": "", "text": ""}, "user")
        if taken := sorted(_OURS & set(config.extra)):
            raise UserError(f"conf/generator/: messages.extra may not set {', '.join(taken)}")
        more = [config.in_language] * bool(languages) + [config.reply_format] * in_words
        self.scope = _digest([system, *more, config.user, *examples])

    @property
    def unit(self) -> str:
        """The plural of what one request is sent for."""
        return "pairs of passage and language" if self.languages else "passages"

    def rows(self, passages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows to send a request for: the passages or, with languages, each with each `query_language`."""
        if not self.languages:
            return list(passages)
        return [{**passage, "query_language": language} for passage in passages for language in self.languages]

    def request(self, passage: Mapping[str, Any]) -> dict[str, Any]:
        """The body of the Messages request for one of `rows`."""
        user = _filled(self.config.user, {"title": passage["title"], "text": passage["text"]}, "user")
        system = self._system
        if language := passage.get("query_language"):
            system += f"\n\n{self._in_language[language]}"
        body = self._chat(system, user) if self.config.protocol == "openai" else self._message(system, user)
        return {**body, **self.config.extra}

    def _message(self, system: str, user: str) -> dict[str, Any]:
        """The body for the Messages API."""
        config = self.config
        schema = {"output_config": {"format": {"type": "json_schema", "schema": _schema(self.kinds)}}}
        return {
            "model": config.model,
            "max_tokens": config.max_tokens,
            "system": system,
            **({"thinking": {"type": "disabled"}} if config.thinking == "disabled" else {}),
            **(schema if config.output_config == "schema" else {}),
            "messages": [{"role": "user", "content": user}],
        }

    def _chat(self, system: str, user: str) -> dict[str, Any]:
        """The body for chat completions."""
        named = {"name": "queries", "schema": _schema(self.kinds), "strict": True}
        schema = {"response_format": {"type": "json_schema", "json_schema": named}}
        return {
            "model": self.config.model,
            "max_tokens": self.config.max_tokens,
            **(schema if self.config.output_config == "schema" else {}),
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }

    def key(self, request: Mapping[str, Any]) -> str:
        """64 hex digits that stand for all that decides the answer."""
        return _digest([self.family, request])


def _population(style: Style) -> str:
    return f"Of all their queries, {described(style.population)}." if style.population else ""


def _filled(template: str, values: Mapping[str, str], name: str) -> str:
    # In one pass, so that a passage may hold {text} itself.
    try:
        return _PLACE.sub(lambda match: values[match[1]], template).strip()
    except KeyError as error:
        raise UserError(
            f"conf/generator/: messages.{name} names {{{error.args[0]}}}; known there: "
            + ", ".join(f"{{{place}}}" for place in values)
        ) from None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
