"""A model's reply: reading its queries, and checking them. A JSON schema only hints at that."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fieldtune.corpus.scripts import SENTENCE_END
from stages.generate.provider import MODEL_KINDS

_LONGEST = 300  # characters; nobody types more
_COPY = 40  # characters; as long a stretch of the passage's own text is no accident
_BRACES = 20  # places where the JSON may begin
_NOT_WORD = re.compile(r"[\W_]+")


class UnusableError(Exception):
    """A reply that gives no queries; its message is the reason, without any text of the passage or the reply."""


def without_halves(text: str) -> str:
    """Text without halves of characters, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="ignore").decode()


def read_queries(
    text: str, stop_reason: str, passage: Mapping[str, Any], count: int, kinds: Sequence[str] = MODEL_KINDS
) -> list[tuple[str, str]]:
    """Read the (kind, query) pairs of a reply to a request for `count` queries; one fewer or more is fine.

    Raises UnusableError for a refusal, a cut-off reply, one that is not the JSON asked for (a local server may ignore
    the schema, and set the JSON among other text), a wrong number, and an empty, overlong, repeated or copied query.
    """
    if stop_reason == "refusal":
        raise UnusableError("refused by the model")
    if stop_reason == "max_tokens":
        raise UnusableError("cut off at max_tokens")
    pairs = []
    for item in _items(text):
        kind, query = item.get("kind"), item.get("query")
        if kind not in kinds or not isinstance(query, str):
            raise UnusableError("not the JSON asked for")
        pairs.append((str(kind), " ".join(without_halves(query).split())))
    if not pairs or abs(len(pairs) - count) > 1:
        raise UnusableError("wrong number of queries")
    _check([query for _, query in pairs], passage["text"])
    return pairs


def _check(queries: Sequence[str], text: str) -> None:
    """Raise UnusableError for an empty, overlong, repeated or copied query of a passage's text."""
    whole = _bare(text)
    seen = set()
    for query in queries:
        bare = _bare(query)
        if not bare:
            raise UnusableError("an empty query")
        if len(query) > _LONGEST:
            raise UnusableError("an overlong query")
        if bare in seen:
            raise UnusableError("a repeated query")
        if bare in whole and (len(bare) >= _COPY or bare in map(_bare, SENTENCE_END.split(text))):
            raise UnusableError("a query copied from the passage")
        seen.add(bare)


def _items(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    for start in (match.start() for match in islice(re.finditer(r"\{", text), _BRACES)):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        items = value.get("queries")
        if isinstance(items, list) and all(isinstance(item, dict) for item in items):
            return items
        break
    raise UnusableError("not the JSON asked for")


def _bare(text: str) -> str:
    """Without case, punctuation and spacing."""
    return _NOT_WORD.sub(" ", text.casefold()).strip()
