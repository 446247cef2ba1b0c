"""A model's reply: finding its queries, cleaning and checking them. A JSON schema only hints at that, and many servers
ignore one: so all is taken of which it is certain what was meant.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fieldtune.corpus.scripts import SENTENCE_END
from stages.generate.provider import MODEL_KINDS

ONLY_THOUGHT = "only thought"  # the stop_reason of a reply that has nothing but thinking in it
_CUT_OFF = ("max_tokens", "length", "model_context_window_exceeded")
_LONGEST = 300  # characters; nobody types more
_COPY = 40  # characters; such a long stretch of the passage's own text is not an accident
_BRACES = 1000  # places where no JSON begins, after which no further one is tried
_DEPTH = 3  # objects around the queries
_NOT_WORD = re.compile(r"[\W_]+")
_THOUGHT_ENDS = re.compile(r".*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_THOUGHT_BEGINS = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_TRAILING_COMMA = re.compile(r",(\s*[\]}])")
_BETWEEN_LINES = re.compile(r"[\s,;*•\d.)-]*")  # what stands between objects, one a line
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\ufeff]")
_NUMBER = re.compile(r"\(?(?:query|q)?[ #]?(\d{1,2})[.):]\s+", re.IGNORECASE)
_BULLET = re.compile(r"[-*•–]\s+")
# Of a letter inside a word: `num\u00e9ro` was escaped twice, `how to write \u00e9` was not
_ESCAPED = re.compile(r"(?<=[^\W\d_])\\u([0-9a-fA-F]{4})|\\u([0-9a-fA-F]{4})(?=[^\W\d_])")
_MARKS = ("**", "__", "*", "_", "`", '"', "'")
_PAIRS = {"“": "”", "„": "“", "‘": "’", "‚": "‘", "«": "»", "»": "«", "‹": "›", "「": "」", "『": "』"}


class UnusableError(Exception):
    """A reply that gives no queries; its message is the reason, without any text of the passage or the reply."""


def without_halves(text: str) -> str:
    """Text without halves of characters, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="ignore").decode()


def read_queries(
    text: str, stop_reason: str, passage: Mapping[str, Any], count: int, kinds: Sequence[str] = MODEL_KINDS
) -> list[tuple[str, str]]:
    """Read the (kind, query) pairs of a reply to a request for `count` queries; one fewer or more is fine.

    Of several objects of the shape that was asked for the last counts that gives enough queries. A query that is empty,
    overlong, repeated, copied or of no kind is left out.

    Raises UnusableError for a refusal, a reply that was cut off, one of thinking alone, one that is not the JSON asked
    for, and a wrong number of queries.
    """
    if stop_reason == "refusal":
        raise UnusableError("refused by the model")
    thought = _THOUGHT_ENDS.match(text)
    rest = text[thought.end() :] if thought else text
    unended = not thought and _THOUGHT_BEGINS.search(text) and stop_reason in _CUT_OFF
    if stop_reason == ONLY_THOUGHT or unended or (thought and not rest.strip()):
        raise UnusableError("the model only thought")
    if stop_reason in _CUT_OFF:
        raise UnusableError("cut off at max_tokens")
    failure = UnusableError("not the JSON asked for")
    for number, items in enumerate(reversed(_lists(rest) or _lists(_TRAILING_COMMA.sub(r"\1", rest)))):
        try:
            return _usable(items, passage["text"], count, kinds)
        except UnusableError as error:
            failure = failure if number else error
    raise failure


def _usable(items: Sequence[Any], text: str, count: int, kinds: Sequence[str]) -> list[tuple[str, str]]:
    """The queries of one object that are usable. Raises UnusableError if too few or too many are."""
    whole = _bare(text)
    sentences = {_bare(sentence) for sentence in SENTENCE_END.split(text)}
    numbered = _is_numbered(items)
    pairs: dict[str, tuple[str, str]] = {}
    faults: Counter[str] = Counter()
    for item in items:
        kind, written = _kind(item, kinds), _value(item, "query")
        if kind is None or not isinstance(written, str):
            faults["not the JSON asked for"] += 1
            continue
        query = _cleaned(written, numbered=numbered)
        bare = _bare(query)
        if not bare:
            faults["an empty query"] += 1
        elif len(query) > _LONGEST:
            faults["an overlong query"] += 1
        elif bare in pairs:
            faults["a repeated query"] += 1
        elif bare in sentences or (len(bare) >= _COPY and bare in whole):
            faults["a query copied from the passage"] += 1
        else:
            pairs[bare] = kind, query
    if pairs and abs(len(pairs) - count) <= 1:
        return list(pairs.values())
    wrong = "wrong number of queries"
    raise UnusableError(wrong if len(pairs) > count else next(iter(faults), wrong))


def _kind(item: Any, kinds: Sequence[str]) -> str | None:
    """The kind whose name an item's begins with, in any case: `Keywords` is a keyword."""
    given = _value(item, "kind")
    if given is None and len(kinds) == 1 and isinstance(item, dict):
        return kinds[0]
    return next((kind for kind in kinds if isinstance(given, str) and given.strip().casefold().startswith(kind)), None)


def _value(item: Any, name: str) -> Any:
    """The value of a key in any case; None if it has no such key."""
    if not isinstance(item, dict):
        return None
    return next((value for key, value in item.items() if key.strip().casefold() == name), None)


def _lists(text: str) -> list[list[Any]]:
    """The lists of queries in a text, each as the items of one object, in their order."""
    lists: list[list[Any]] = []
    lines_end = None  # of the last object that was a query by itself
    for start, end, value in _values(text):
        if isinstance(value, dict) and isinstance(_value(value, "query"), str):
            if lines_end is None or not _BETWEEN_LINES.fullmatch(text, lines_end, start):
                lists.append([])
            lists[-1].append(value)
            lines_end = end
        else:
            lists += _lists_in(value)
            lines_end = None
    return lists


def _lists_in(value: Any, depth: int = _DEPTH) -> Iterator[list[Any]]:
    """The lists of queries in a JSON value: an array of them, or `queries` of an object, within others or not."""
    if isinstance(value, list):
        if any(_value(item, "query") is not None for item in value):
            yield value
    elif isinstance(value, dict):
        queries = _value(value, "queries")
        if isinstance(queries, list):
            yield queries
        elif depth:
            for inner in value.values():
                yield from _lists_in(inner, depth - 1)


def _values(text: str) -> Iterator[tuple[int, int, Any]]:
    """The JSON objects and arrays in a text, each with its beginning and end; none inside of one that was cut off."""
    decoder = json.JSONDecoder(strict=False)  # which takes raw line breaks
    failures, at = 0, 0
    while failures < _BRACES and (match := _OPENING.search(text, at)):
        try:
            value, end = decoder.raw_decode(text, match.start())
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip()):
                return
            failures, at = failures + 1, match.end()
        except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
            failures, at = failures + _BRACES // 20, match.end()
        else:
            yield match.start(), end, value
            at = end


def _is_numbered(items: Sequence[Any]) -> bool:
    """True if each query begins with its number."""
    numbers = []
    for item in items:
        query = _value(item, "query")
        match = _NUMBER.match(query.strip().lstrip("*_`\"'")) if isinstance(query, str) else None
        numbers.append(int(match[1]) if match else -1)
    return len(numbers) > 1 and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _cleaned(query: str, *, numbered: bool) -> str:
    """A query without what a model sets around it: quotes, a list's marks and numbers, emphasis, control characters."""
    text = _ESCAPED.sub(_letter, without_halves(query))
    text = " ".join(_CONTROL.sub("", " ".join(text.split())).split())
    before = None
    while text != before:
        before = text
        text = _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
        text = _NUMBER.sub("", text, count=1) if numbered and _NUMBER.match(text) else text
        text = _unwrapped(text)
    return text


def _unwrapped(text: str) -> str:
    """Text without a mark that stands around all of it, and nowhere inside."""
    for opening, closing in (*((mark, mark) for mark in _MARKS), *_PAIRS.items()):
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and opening not in inner and closing not in inner:
            return inner.strip()
    return text


def _letter(match: re.Match[str]) -> str:
    character = chr(int(match[1] or match[2], 16))
    return character if character.isalpha() else match[0]


def _bare(text: str) -> str:
    """Without case, punctuation and spacing."""
    return _NOT_WORD.sub(" ", text.casefold()).strip()
