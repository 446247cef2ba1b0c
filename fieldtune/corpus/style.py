"""The way a team's users type: a dozen of their queries as examples, and measurements of all of them.

Queries written for training imitate this population, so they look like what the model will be asked. The examples
are frozen in a small file in git (`style:` in params.yaml), so a longer log does not invalidate bought replies.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fieldtune.corpus import files
from fieldtune.corpus.scripts import LETTERS
from fieldtune.corpus.unicode import normalised
from fieldtune.runtime.errors import UserError

FEWEST = 5  # examples; fewer show no population
SAME_WORDS = 0.8  # share of the words from which two queries count as one
_LONGEST = 200  # characters
_COMPARED = 2000  # queries of a log, drawn by hash: with more, choosing takes long and shows nothing new
_OPENINGS = 8  # named at most
_NAMED = 0.02  # share of the queries from which an opening is named
_PRIVATE = re.compile(r"\S@\S|\d{5,}|\d[\d ().-]{6,}\d")  # e-mail addresses; numbers of people, orders, telephones
_WORD = re.compile(f"[{LETTERS}]+")
_QUESTION = re.compile(
    r"(?:how|what|why|when|where|which|who|whose|can|could|do|does|did|is|are|was|were|will|would|should|may)\b|.*[?？]\s*$",
    re.IGNORECASE | re.DOTALL,
)
_HEAD = (
    "# How your users type, written by `fieldtune style`: generated queries imitate it. The examples enter git and\n"
    "# the prompt, and leave the test. A change of them buys the queries again.\n"
)


@dataclass(frozen=True)
class Population:
    """Measurements of typed queries."""

    queries: int  # distinct ones
    words: tuple[int, int, int]  # quartiles of their lengths
    openings: dict[str, float]  # the most frequent first words, each with the share of queries
    questions: float  # share that asks a question
    heading_words: float | None  # mean share of a query's words that stand in a heading; None: no documents were read


@dataclass(frozen=True)
class Style:
    """The contents of a style file."""

    examples: list[str]
    population: Population | None  # None: the file was written by hand, with examples only


def read_style(path: Path) -> Style | None:
    """The style that `style:` names; None if it names a blank file.

    Raises UserError for a file that is not found, is not YAML, or has fewer than five examples.
    """
    if not path.is_file():
        raise UserError(f"style: {path} not found: create it with `fieldtune style`")
    if files.is_blank(path):
        return None
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"style: {path} is not UTF-8 YAML: rewrite it with `fieldtune style --refresh`") from error
    examples = values.get("examples") if isinstance(values, dict) else None
    if not isinstance(examples, list) or not all(isinstance(line, str) and line.strip() for line in examples):
        raise UserError(f"style: {path} has no list `examples:`: rewrite it with `fieldtune style --refresh`")
    if len(examples) < FEWEST:
        raise UserError(f"style: {path} has {len(examples)} examples; a style needs {FEWEST}: add some")
    return Style([" ".join(line.split()) for line in examples], _population(path, values.get("population")))


def _population(path: Path, values: Any) -> Population | None:
    if values is None:
        return None
    try:
        first, middle, last = values["words"]
        return Population(**{**values, "words": (int(first), int(middle), int(last))})
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"style: {path}: bad `population:`: rewrite it with `fieldtune style --refresh`") from error


def style_yaml(style: Style) -> str:
    """The text of a style file."""
    values = asdict(style)
    if style.population is not None:
        values["population"]["words"] = list(style.population.words)
    return _HEAD + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def measure(queries: Iterable[str], headings: Iterable[str] | None = None) -> Population:
    """Measure distinct queries; `headings` are the titles and headings of the documents, if they were read."""
    texts = sorted({normalised(query) for query in queries})
    words = [_words(text) for text in texts]
    lengths = [max(1, len(text.split())) for text in texts]
    openings = Counter(line[0] for line in words if line)
    known = None if headings is None else {word for heading in headings for word in _words(heading)}
    low, middle, high = np.percentile(lengths, (25, 50, 75), method="inverted_cdf").tolist()
    return Population(
        queries=len(texts),
        words=(int(low), int(middle), int(high)),
        openings={
            word: round(count / len(texts), 3)
            for word, count in sorted(openings.items(), key=lambda item: (-item[1], item[0]))[:_OPENINGS]
            if count > max(1, _NAMED * len(texts))
        },
        questions=round(sum(bool(_QUESTION.match(text)) for text in texts) / len(texts), 3),
        heading_words=None if known is None else _share_known(words, known),
    )


def _share_known(queries: Sequence[Sequence[str]], known: set[str]) -> float:
    shares = [sum(word in known for word in words) / len(words) for words in queries if words]
    return round(float(np.mean(shares)), 3) if shares else 0.0


def choose_examples(queries: Iterable[str], count: int) -> list[str]:
    """The `count` queries that represent a population best, spread over lengths, openings and words.

    The order of the log does not matter. Private queries are not chosen (`is_private`). An equal number comes from each
    quarter of the lengths, from each opening as near to its share as possible (rare openings count as one), and the
    next query is always the one that shares the fewest words with those already chosen.
    """
    texts = {normalised(query): " ".join(query.split()) for query in queries}
    candidates = sorted(
        (text for text in texts.values() if len(text) <= _LONGEST and _words(text) and not is_private(text)),
        key=lambda text: hashlib.sha256(normalised(text).encode()).hexdigest(),
    )[:_COMPARED]
    by_length = sorted(candidates, key=lambda text: len(text.split()))
    quarter = {text: 4 * place // len(by_length) for place, text in enumerate(by_length)}
    opening = _openings(candidates, count)
    wanted = {word: count * number / len(candidates) for word, number in Counter(opening.values()).items()}
    chosen: list[str] = []
    nearest = dict.fromkeys(candidates, 0.0)  # of those that remain, the highest overlap with a chosen one
    while len(chosen) < count and nearest:
        of_quarter = Counter(quarter[text] for text in chosen)
        of_opening = Counter(opening[text] for text in chosen)

        misfit = {
            text: (of_quarter[quarter[text]], of_opening[opening[text]] - wanted[opening[text]], highest)
            for text, highest in nearest.items()
        }
        chosen.append(min(nearest, key=misfit.__getitem__))
        del nearest[chosen[-1]]
        nearest = {text: max(highest, word_overlap(text, chosen[-1])) for text, highest in nearest.items()}
    return sorted(chosen, key=candidates.index)


def _openings(texts: Sequence[str], count: int) -> dict[str, str]:
    """The first word of each text; "" for a word that fewer than one in `count` texts begin with."""
    first = {text: _words(text)[0] for text in texts}
    number = Counter(first.values())
    return {text: word if count * number[word] >= len(texts) else "" for text, word in first.items()}


def is_private(query: str) -> bool:
    """Tell if a query has an e-mail address or a number of five digits or more, and so must not enter git."""
    return bool(_PRIVATE.search(query))


def word_overlap(left: str, right: str) -> float:
    """The share of the longer query's distinct words that both have, 0 to 1."""
    first, second = set(_words(left)), set(_words(right))
    return len(first & second) / max(len(first), len(second), 1)


def equals_example(query: str, examples: Sequence[str]) -> bool:
    """Tell if a query is one of the examples, even if a fifth of its words differ."""
    return any(
        normalised(query) == normalised(example) or word_overlap(query, example) >= SAME_WORDS for example in examples
    )


def described(population: Population) -> str:
    """The measurements, in words for a person and for the prompt."""
    low, middle, high = population.words
    openings = ", ".join(f"{word} {share:.0%}" for word, share in population.openings.items())
    heading = population.heading_words
    parts = [
        f"half of the queries have {low} to {high} words, {middle} in the middle",
        f"{population.questions:.0%} ask a question",
        *([f"frequent first words: {openings}"] if openings else []),
        *([f"{heading:.0%} of their words stand in a heading of the documents"] if heading is not None else []),
    ]
    return "; ".join(parts)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def headings_of(passages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The titles of rows of passages.jsonl, which hold the headings."""
    return [passage["title"] for passage in passages]
