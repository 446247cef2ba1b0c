"""Copies among passages and sections, and with them all sections that answer a query."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import near_duplicates
from fieldtune.retrieval.near_duplicates import Pairs, clusters, union
from stages.dataset.config import NearDuplicates

VectorsOfRows = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]  # [n] → [n, dimension]

_BLOCK = 1 << 14  # pairs whose vectors are compared at once


@dataclass(frozen=True)
class Copies:
    """The copies in a corpus. Sections are indices into it."""

    passages: Pairs  # passages that are copies of one another
    # Sections that share a passage, or all their text: never in two splits, never negatives. Within a cluster, all are
    # paired with the first one only: a family of thousands has millions of pairs.
    linked: set[tuple[int, int]]
    alike: list[set[int]]  # for each section, those that answer the same queries, itself included
    holding: list[set[int]]  # for each passage, the sections that contain it or a copy that answers the same queries


def find_copies(bodies: Sequence[str], vectors: VectorsOfRows, corpus: Corpus, limits: NearDuplicates) -> Copies:
    """Find the copies among passages and among whole sections.

    `bodies` are the passages' texts without their titles, `vectors` gives their unit vectors with titles. Near copies
    answer the same queries only if the vectors agree, too: if two texts differ only in their titles and one word, the
    title may be what people ask for.
    """
    section_of = corpus.section_of
    sections = len(corpus.sections)
    words = near_duplicates.words(bodies)
    exact = near_duplicates.exact_copies(words)
    near = near_duplicates.near_copies(words, limits.overlap)
    same = union(exact, near[_cosines(vectors, near) >= limits.cosine])
    if sections == len(bodies):  # the passages are the sections
        whole_exact, whole_near = exact, near
    else:
        whole = words.joined(section_of)
        del words
        whole_exact = near_duplicates.exact_copies(whole)
        whole_near = near_duplicates.near_copies(whole, limits.overlap)

    def of_sections(pairs: Pairs) -> Pairs:
        ends = np.sort(section_of[pairs], axis=1)
        return union(ends[ends[:, 0] != ends[:, 1]])

    family = np.array(clusters(sections, of_sections(same)))
    alike = clusters(sections, union(whole_exact, whole_near[family[whole_near[:, 0]] == family[whole_near[:, 1]]]))
    copies = union(exact, near)
    linked = clusters(sections, union(of_sections(copies), whole_exact, whole_near))
    return Copies(
        passages=copies,
        linked={(first, section) for section, first in enumerate(linked) if first != section},
        alike=_members(alike, range(sections)),
        holding=_members(clusters(len(bodies), same), section_of.tolist()),
    )


def _cosines(vectors: VectorsOfRows, pairs: Pairs) -> npt.NDArray[np.float32]:
    """[pairs]: of unit vectors."""
    cosines = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        first, second = pairs[start : start + _BLOCK].T
        cosines[start : start + _BLOCK] = np.einsum("ij,ij->i", vectors(first), vectors(second))
    return cosines


def _members(cluster_of: Sequence[int], values: Sequence[int]) -> list[set[int]]:
    """For each place the values of its whole cluster."""
    members: dict[int, set[int]] = defaultdict(set)
    for cluster, value in zip(cluster_of, values, strict=True):
        members[cluster].add(value)
    return [members[cluster] for cluster in cluster_of]
