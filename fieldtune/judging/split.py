"""A proposal for the use of each judged query: style, test or train, whole clusters together."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fieldtune.corpus.passages import Corpus
from fieldtune.corpus.style import FEWEST, choose_examples, equals_example
from fieldtune.corpus.unicode import normalised
from fieldtune.judging.order import near_copies
from fieldtune.judging.worth import ENOUGH, TRAIN
from fieldtune.retrieval import near_duplicates
from fieldtune.retrieval.near_duplicates import clusters

EXAMPLES = 12


@dataclass(frozen=True)
class JudgedQuery:
    """A query of the table."""

    query: str
    sections: list[str]  # that answer it, in full or in part; none: the documents have no answer
    answered: bool  # in full by one of them
    split: str = ""  # as the table has it; "" if it has none


@dataclass(frozen=True)
class Proposal:
    """A split for each query that has none, and a reason for each line of it."""

    splits: dict[str, str]  # `normalised` query → split
    reasons: list[str]


def linked_sections(corpus: Corpus, bodies: Sequence[str], overlap: float) -> dict[str, int]:
    """Section id → cluster of sections that are copies of one another, as the stage `dataset` finds them.

    `bodies` are the passages' texts without their titles.
    """
    whole = near_duplicates.words(bodies).joined(corpus.section_of)
    pairs = near_duplicates.union(near_duplicates.exact_copies(whole), near_duplicates.near_copies(whole, overlap))
    return dict(zip(corpus.sections, clusters(len(corpus.sections), pairs), strict=True))


def propose(queries: Sequence[JudgedQuery], cluster_of: Mapping[str, int], examples: Sequence[str]) -> Proposal:
    """Propose a split for each query that has none.

    `cluster_of` is of `linked_sections`; `examples` are those of the style file. Queries with a section or a copy of
    it in common, or with nearly the same words, are one cluster, and have one split. Style comes first. With fewer than
    150 answered queries the rest is test; otherwise clusters become test, in the order of a hash, until it has 150,
    and the rest train. A query without an answer has a use as style only.
    """
    unit_of = _units(queries, cluster_of)
    units: dict[int, list[JudgedQuery]] = {}
    for unit, each in zip(unit_of, queries, strict=True):
        units.setdefault(unit, []).append(each)
    style, reason = _style(queries, examples)
    answered = sum(each.answered for each in queries)
    in_test = 0
    splits: dict[str, str] = {}
    for members in sorted(units.values(), key=lambda members: (not _fixed(members, style), _draw(members))):
        split = _fixed(members, style) or ("test" if answered < TRAIN or in_test < TRAIN else "train")
        in_test += sum(each.answered for each in members) if split == "test" else 0
        splits |= {
            normalised(each.query): split
            for each in members
            if not each.split and (each.sections or each.query in style)
        }
    lines = [f"{answered:,} queries with an answer, {len(units):,} clusters; a cluster has one split"]
    return Proposal(splits, lines + _reasons(splits, reason, answered, queries))


def with_splits(table: str, splits: Mapping[str, str]) -> str:
    """The text of a JSONL table in which the rows of these queries have their `split`; other lines stay to the byte."""
    lines = table.split("\n")
    for number, line in enumerate(lines):
        row = json.loads(line.lstrip("\ufeff")) if line.strip() else {}
        split = splits.get(normalised(str(row.get("query", ""))))
        if split and not (row.get("split") or row.get("group")):
            lines[number] = json.dumps({**row, "split": split}, ensure_ascii=False)
    return "\n".join(lines)


def _fixed(members: Sequence[JudgedQuery], style: Collection[str]) -> str:
    """The split that a cluster has already, or style; otherwise ""."""
    own = next((each.split for each in members if each.split), "")
    return own or ("style" if any(each.query in style for each in members) else "")


def _draw(members: Sequence[JudgedQuery]) -> str:
    name = min(normalised(each.query) for each in members)
    return hashlib.sha256(name.encode()).hexdigest()


def _units(queries: Sequence[JudgedQuery], cluster_of: Mapping[str, int]) -> list[int]:
    """[queries]: the cluster of each."""
    members: dict[int, list[int]] = {}
    for number, each in enumerate(queries):
        for section in each.sections:
            members.setdefault(cluster_of[section], []).append(number)
    pairs = [pair for numbers in members.values() for pair in pairwise(numbers)]
    return clusters(len(queries), [*pairs, *near_copies([each.query for each in queries]).tolist()])


def _style(queries: Sequence[JudgedQuery], examples: Sequence[str]) -> tuple[set[str], str]:
    """The queries that show how people type, and why these."""
    if examples:
        equal = {each.query for each in queries if equals_example(each.query, examples)}
        return equal, "they are the examples of the style file, which generated queries imitate"
    free = [each for each in queries if not each.split]
    unanswered = [each.query for each in free if not each.sections]
    if len(unanswered) >= FEWEST:
        chosen = choose_examples(unanswered, EXAMPLES)
        return set(chosen), "queries without an answer show a style and cost the test nothing"
    answered = [each.query for each in free if each.answered]
    spare = min(EXAMPLES, len(answered) - ENOUGH)
    if spare >= FEWEST:
        return set(choose_examples(answered, spare)), f"{ENOUGH} with an answer remain"
    return set(), ""


def _reasons(splits: Mapping[str, str], style: str, answered: int, queries: Sequence[JudgedQuery]) -> list[str]:
    counts = Counter(splits.values())
    lines = []
    if kept := sum(bool(each.split) for each in queries):
        lines.append(f"{kept:,} have a split already, which stays")
    if counts["style"]:
        lines.append(f"style {counts['style']:,}: {style}")
    else:
        lines.append(f"style 0: a style needs {FEWEST} queries without an answer, or {ENOUGH + FEWEST} with one")
    if counts["test"]:
        few = f"with fewer than {TRAIN} answers, the verdict needs all of them"
        lines.append(f"test {counts['test']:,}: {few if answered < TRAIN else 'enough for the verdict'}")
    if counts["train"]:
        lines.append(f"train {counts['train']:,}: what people type teaches more than what is generated")
    if no_use := sum(not each.split and normalised(each.query) not in splits for each in queries):
        lines.append(f"no split {no_use:,}: without an answer, they count as a search log")
    return lines
