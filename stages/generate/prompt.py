"""The request to a model for a passage, and the key of the answer."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from fieldtune.runtime.errors import UserError
from stages.generate.config import MessagesConfig
from stages.generate.provider import MODEL_KINDS

# The API takes no lengths of arrays here: they are checked in the reply.
SCHEMA = {
    "type": "object",
    "properties": {
        "queries": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"kind": {"type": "string", "enum": list(MODEL_KINDS)}, "query": {"type": "string"}},
                "required": ["kind", "query"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["queries"],
    "additionalProperties": False,
}
_PLACE = re.compile(r"\{(\w+)\}")


class Prompt:
    """Renders requests; `scope` stands for the prompt's text, whatever the passage and the model: it has one budget.

    `family` tells apart servers that may answer the same request otherwise: `anthropic` (in batches or not), `local`.
    """

    def __init__(self, config: MessagesConfig, family: str) -> None:
        """Raises UserError where the prompt leaves out the passage or names a place that there is not."""
        self.config = config
        self.family = family
        examples = "\n".join(f"- {example}" for example in config.examples)
        values = {"count": str(config.queries_per_passage), "examples": examples}
        self._user = config.user
        self._settings = {
            "model": config.model,
            "max_tokens": config.max_tokens,
            "system": _filled(config.system, values, "system"),
            **({"thinking": {"type": "disabled"}} if config.thinking == "disabled" else {}),
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        }
        if not {"title", "text"} <= set(_PLACE.findall(config.user)):
            raise UserError("conf/generator/: messages.user must hold {title} and {text}")
        _filled(config.user, {"title": "", "text": ""}, "user")
        self.scope = _digest([config.system, config.user, *config.examples])

    def request(self, passage: Mapping[str, Any]) -> dict[str, Any]:
        """The body of the Messages request for a row of passages.jsonl."""
        user = _filled(self._user, {"title": passage["title"], "text": passage["text"]}, "user")
        return {**self._settings, "messages": [{"role": "user", "content": user}]}

    def key(self, request: Mapping[str, Any]) -> str:
        """64 hex digits that stand for all that decides the answer."""
        return _digest([self.family, request])


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
