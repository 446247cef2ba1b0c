"""Settings of the stage `dataset`."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.retrieval.hard_negatives import HardNegatives
from fieldtune.runtime.settings import between


@dataclass
class NearDuplicates:
    # Texts are copies if the Jaccard index of their three-word shingles is at least `overlap`. Copies answer the same
    # queries if their vectors, which include the titles, are at least this similar.
    cosine: float = between(0.5, 1.0)
    overlap: float = between(0.5, 1.0)


@dataclass
class DatasetConfig:
    # Share of the sections with queries that choose the checkpoint; more if there are few sections: 40, or up to 15%
    dev: float = between(0.01, 0.5)
    test: float = between(0.01, 0.5)  # share held out for the synthetic test
    # A generated query is kept if its passage is among this many top results of the base model or of BM25; 0: always.
    round_trip: int = between(0, 100)
    # The price of `generator: claude` per passage, mentioned if there are too few pairs
    dollars_per_passage: float = between(0, 10)
    near_duplicates: NearDuplicates = MISSING
    negatives: HardNegatives = MISSING  # columns negative_1 … of the data set
    seed: int = between(0, 2**31)
