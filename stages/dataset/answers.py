"""Which sections answer a query."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.dataset import near_duplicates
from stages.dataset.config import NearDuplicates
from stages.dataset.near_duplicates import Pairs
from stages.ranking import Corpus
from stages.real_queries import RealQuery


@dataclass(frozen=True)
class Copies:
    """What repeats in a corpus. Sections are indices into it."""

    passages: Pairs  # passages that are copies of one another
    linked: Pairs  # sections that share a passage, or all their text: never on two sides, never negatives
    alike: list[set[int]]  # for each section those that answer what it answers, itself included
    holding: list[set[int]]  # for each passage the sections that hold it or a copy that answers the same


def find_copies(
    bodies: Sequence[str], vectors: npt.NDArray[np.float32], corpus: Corpus, limits: NearDuplicates
) -> Copies:
    """Find the copies among passages and among whole sections.

    `bodies` are the passages' texts without their titles, `vectors` their unit vectors with them. Near copies answer
    the same queries only where the vectors agree, too: of two texts that differ in their titles and one word, the
    title may be what people ask for.
    """
    section_of = corpus.section_of.tolist()
    exact = near_duplicates.exact_copies(bodies)
    near = near_duplicates.near_copies(bodies, limits.overlap)
    same = exact | {(i, j) for i, j in near if float(vectors[i] @ vectors[j]) >= limits.cosine}

    whole = [""] * len(corpus.sections)
    for section, body in zip(section_of, bodies, strict=True):
        whole[section] += f"{body}\n"
    whole_exact = near_duplicates.exact_copies(whole)
    whole_near = near_duplicates.near_copies(whole, limits.overlap)

    def of_sections(pairs: Pairs) -> Pairs:
        return {(section_of[i], section_of[j]) for i, j in pairs if section_of[i] != section_of[j]}

    family = near_duplicates.clusters(len(whole), of_sections(same))
    alike = near_duplicates.clusters(
        len(whole), whole_exact | {(i, j) for i, j in whole_near if family[i] == family[j]}
    )
    passage = near_duplicates.clusters(len(bodies), same)
    return Copies(
        passages=exact | near,
        linked=of_sections(exact | near) | whole_exact | whole_near,
        alike=_members(alike, range(len(whole))),
        holding=_members(passage, section_of),
    )


def of_real(
    queries: Sequence[RealQuery], passages: Sequence[dict[str, Any]], corpus: Corpus
) -> tuple[list[list[int]], list[str]]:
    """The sections that each query names, and the places that were named and are not in the corpus.

    A place is a source with a section's heading or slug, or a source alone: then every section of it answers.
    """
    by_place: dict[tuple[str, str], int] = {}
    by_source: dict[str, dict[int, None]] = defaultdict(dict)
    slugs: dict[tuple[str, str], int] = {}
    for passage, section in zip(passages, corpus.section_of.tolist(), strict=True):
        source = passage["source"]
        by_place.setdefault((source, passage["section"]), section)
        if section not in by_source[source]:  # its first piece: the id is the slug
            slugs.setdefault((source, passage["id"].removeprefix(f"{source}#")), section)
        by_source[source][section] = None
    by_place = slugs | by_place
    named: list[list[int]] = []
    unmatched: dict[str, None] = {}
    for query in queries:
        found: dict[int, None] = {}
        for source, section in query.answers:
            if not section and source in by_source:
                found |= by_source[source]
            elif (source, section) in by_place:
                found[by_place[source, section]] = None
            else:
                unmatched[f"{source} # {section}" if section else source] = None
        named.append(list(found))
    return named, list(unmatched)


def _members(cluster_of: Sequence[int], values: Sequence[int]) -> list[set[int]]:
    """For each place the values of its whole cluster."""
    of: dict[int, set[int]] = defaultdict(set)
    for cluster, value in zip(cluster_of, values, strict=True):
        of[cluster].add(value)
    return [of[cluster] for cluster in cluster_of]
