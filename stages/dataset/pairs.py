"""The pairs of a split: each query with its passage and hard negatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from fieldtune.corpus import files
from fieldtune.retrieval import hard_negatives
from fieldtune.retrieval.ranking import Table
from stages.dataset.config import DatasetConfig
from stages.dataset.queries import TrainingQuery


@dataclass(frozen=True)
class SplitPairs:
    """Queries of a split with their negatives, the same number for each."""

    queries: list[TrainingQuery]
    negatives: list[list[int]]  # [queries, width]: rows of passages.jsonl
    random_negatives: int  # number of the negatives that are drawn at random

    @property
    def width(self) -> int:
        return len(self.negatives[0])

    def counts(self) -> dict[str, int]:
        """The row of report.json."""
        return {
            "pairs": len(self.queries),
            "passages": len({query.passage for query in self.queries}),
            "negatives": self.width,
            "random_negatives": self.random_negatives,
        }


def mine_pairs(
    queries: Sequence[TrainingQuery],
    query_vectors: npt.NDArray[np.float32],
    passage_vectors: Table,
    passage_clusters: Sequence[int],
    config: DatasetConfig,
) -> SplitPairs:
    """Mine negatives for queries; `query_vectors` [queries, dimension] and `passage_vectors` are unit vectors."""
    mined, random_negatives = hard_negatives.mine(
        query_vectors,
        [query.passage for query in queries],
        passage_vectors,
        passage_clusters,
        config.negatives,
        config.seed,
    )
    width = min(map(len, mined))
    return SplitPairs(list(queries), [negatives[:width] for negatives in mined], random_negatives)


def write_pairs(
    folder: Path, split: str, pairs: SplitPairs, passages: Sequence[Mapping[str, Any]], texts: Sequence[str]
) -> None:
    """Write <split>.parquet (texts) and <split>_ids.parquet, row by row alike."""
    columns = {
        "anchor": [query.text for query in pairs.queries],
        "positive": [texts[query.passage] for query in pairs.queries],
    }
    ids = {
        "query_id": [query.id for query in pairs.queries],
        "kind": [query.kind for query in pairs.queries],
        "positive_id": [passages[query.passage]["id"] for query in pairs.queries],
    }
    for place in range(pairs.width):
        columns[f"negative_{place + 1}"] = [texts[negatives[place]] for negatives in pairs.negatives]
        ids[f"negative_{place + 1}_id"] = [passages[negatives[place]]["id"] for negatives in pairs.negatives]
    Dataset.from_dict(columns).to_parquet(folder / f"{split}.parquet")
    files.write_table(folder / f"{split}_ids.parquet", {name: list(values) for name, values in ids.items()})
