"""Queries that are passages themselves, such as tickets and similar questions: each is left out of its own ranking.

A system that finds the query itself first has found nothing, and would be charged for it. BEIR's own evaluation leaves
out the document with the query's id (Thakur et al. 2021, arXiv:2104.08663: ArguAna, Quora).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fieldtune.corpus.passages import section_id
from fieldtune.retrieval.judged_queries import Judged
from fieldtune.retrieval.ranking import Rankings

OwnSections = npt.NDArray[np.int64]  # [queries]: the section that is the query itself; -1: none


def own_sections(judged: Judged, passages: Sequence[Mapping[str, Any]], sections: Sequence[str]) -> OwnSections:
    """For each query the section that its id names as the query itself, or else the one whose whole text it is, unless
    that answers it, even partly; -1 if there is none.

    `sections` are those of the corpus of these rows of passages.jsonl. White space and case do not matter.
    """
    longest = max((len(_key(text)) for text in judged.texts), default=0)
    index = {section: number for number, section in enumerate(sections)}
    texts: dict[int, list[str]] = {}
    titles: dict[int, str] = {}
    longer: set[int] = set()  # sections with a passage that is longer than every query, as most are
    for row in passages:
        number = index[section_id(row["source"], row["section"])]
        if number in longer or len(_key(row["text"])) > longest:
            longer.add(number)
            continue
        texts.setdefault(number, []).append(row["text"])
        titles[number] = row["title"]
    of_text: dict[str, list[int]] = {}
    for number, parts in texts.items():
        if number in longer:
            continue
        whole = " ".join(parts)
        for text in {_key(whole), _key(f"{titles[number]} {whole}")}:
            of_text.setdefault(text, []).append(number)
    own = np.full(len(judged.ids), -1, dtype=np.int64)
    for query, (id_, text, graded) in enumerate(zip(judged.ids, judged.texts, judged.grades, strict=True)):
        by_id = index.get(judged.own.get(id_, ""))
        same = of_text.get(_key(text), []) if by_id is None else [by_id]
        if same and graded.keys().isdisjoint(same):
            own[query] = same[0]
    return own


def leave_out(rankings: Rankings, own: OwnSections) -> Rankings:
    """The rankings without each query's own section; what stands below moves up, and the last place stays empty."""
    sections, scores = rankings.sections.copy(), rankings.scores.copy()
    for row in np.flatnonzero((sections == own[:, None]).any(axis=1) & (own >= 0)):
        kept = sections[row] != own[row]
        places = int(kept.sum())
        sections[row, :places], scores[row, :places] = sections[row, kept], scores[row, kept]
        sections[row, places:], scores[row, places:] = -1, -np.inf
    return Rankings(sections, scores)


def message(own: OwnSections) -> str:
    """A sentence on the number of queries that are passages; empty if there are none."""
    count = int((own >= 0).sum())
    if count == 0:
        return ""
    subject = "1 query is itself a passage" if count == 1 else f"{count:,} queries are themselves passages"
    return (
        f"{subject}, which {'is' if count == 1 else 'are'} left out of {'its' if count == 1 else 'their'} own ranking"
    )


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
