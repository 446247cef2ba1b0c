"""The split: queries to train on, queries that choose the checkpoint, and queries that are held out."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fieldtune.retrieval.near_duplicates import clusters
from fieldtune.runtime.errors import UserError
from stages.dataset.config import DatasetConfig
from stages.dataset.queries import TrainingQueries

SPLITS = ("train", "dev", "test")
_LEAST_HELD_OUT = 10  # documents in a split: with fewer no mean is reliable
_LARGEST_DOCUMENT = 0.1  # of the sections
_FEW = 1000  # sections with queries: with fewer, dev and test take a tenth each
_TENTH = 0.1
_LEAST = {"test": 30, "dev": 40}  # sections: with fewer, dev cannot tell a good model from a lucky one
_MOST_FOR_LEAST = 0.15  # of all sections


@dataclass(frozen=True)
class SplitUnits:
    """Sections that no split divides: clusters of copies, or whole documents with their copies if there are many."""

    unit_of: list[int]  # [sections]
    whole_documents: bool


def split_units(documents: Sequence[str], linked: set[tuple[int, int]], smallest_share: float) -> SplitUnits:
    """The split units of a corpus.

    `documents` has each section's document; `linked` pairs sections that contain copies of one another;
    `smallest_share` is the share of the smaller of dev and test. If there are many documents of similar size, whole
    documents stay together. With few documents the verdict would rest on two or three of them.
    """
    sizes = Counter(documents)
    enough = smallest_share * len(sizes) >= _LEAST_HELD_OUT
    whole = enough and max(sizes.values()) <= _LARGEST_DOCUMENT * len(documents)
    pairs = set(linked)
    if whole:
        last: dict[str, int] = {}
        for section, document in enumerate(documents):
            if document in last:
                pairs.add((last[document], section))
            last[document] = section
    return SplitUnits(clusters(len(documents), pairs), whole)


def assign_splits(
    unit_of: Sequence[int],
    names: Sequence[str],
    dev: float,
    test: float,
    seed: int,
    for_training: Collection[int] = (),
) -> list[str]:
    """`train`, `dev` or `test` for each section, whole units in one split; the units `for_training` are `train`.

    `names` are the sections' ids, `dev` and `test` shares of them. Units come in the order of the hash of `seed` and
    their first section's name, so that more documents leave nearly all sections where they were; each goes where it
    fits: test, dev, otherwise train. A share smaller than the smallest unit gets one such unit. With fewer than
    1,000 sections, dev and test are at least a tenth each, and 40 and 30 sections, but no more than 15%.
    """
    names_of: dict[int, list[str]] = {}
    for unit, name in zip(unit_of, names, strict=True):
        names_of.setdefault(unit, []).append(name)
    draw = {unit: hashlib.sha256(f"{seed}\n{min(members)}".encode()).hexdigest() for unit, members in names_of.items()}
    least = min((len(members) for unit, members in names_of.items() if unit not in for_training), default=0)
    shares = {"test": test, "dev": dev}
    if len(names) < _FEW:
        shares = {name: max(share, _TENTH) for name, share in shares.items()}
    room = {
        name: max(share * len(names), least, min(_LEAST[name], _MOST_FOR_LEAST * len(names)))
        for name, share in shares.items()
    }
    split_of: dict[int, str] = {}
    for unit in sorted(names_of, key=lambda unit: draw[unit]):
        if unit in for_training:
            split_of[unit] = "train"
            continue
        size = len(names_of[unit])
        split_of[unit] = next((name for name, left in room.items() if size <= left), "train")
        if split_of[unit] in room:
            room[split_of[unit]] -= size
    return [split_of[unit] for unit in unit_of]


@dataclass(frozen=True)
class SplitQueries:
    """The queries that may be trained on, dropped or in a split; rows are those of `candidates.all`."""

    candidates: TrainingQueries
    dropped: Mapping[int, str]  # row → reason; all are generated ones
    rows: Mapping[str, Sequence[int]]  # split → rows


def split_queries(
    candidates: TrainingQueries,
    dropped: Mapping[int, str],
    unit_of: Sequence[int],
    section_ids: Sequence[str],
    for_training: Collection[int],
    config: DatasetConfig,
) -> SplitQueries:
    """Assign each query that is not dropped to the split of its section; units of sections `for_training` are `train`.

    Raises UserError if a split has no query.
    """
    kept = [row for row in range(len(candidates.all)) if row not in dropped]
    sections = sorted({candidates.all[row].section for row in kept})
    splits = assign_splits(
        [unit_of[section] for section in sections],
        [section_ids[section] for section in sections],
        config.dev,
        config.test,
        config.seed,
        {unit_of[section] for section in for_training},
    )
    split_of = dict(zip(sections, splits, strict=True))
    rows = {split: [row for row in kept if split_of[candidates.all[row].section] == split] for split in SPLITS}
    for split in SPLITS:
        if not rows[split]:
            raise UserError(
                f"split {split} has no queries: {len(kept)} of {len(candidates.generated)} generated ones were kept; "
                "check `documents:`, `queries:` and `generator:` in params.yaml; more passages need queries"
            )
    return SplitQueries(candidates, dropped, rows)
