"""The training set, one row a passage with all its queries, and the batches made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import SentenceTransformerDataCollator

from stages import encoder
from stages.encoder import Kind, Tokens

Row = dict[str, Any]


def by_passage(
    anchors: Sequence[str], positives: Sequence[str], negatives: Sequence[Sequence[str]], cluster_of: dict[str, int]
) -> Dataset:
    """Rows of `anchor` (a passage's queries), `positive`, `negative` (texts) and `cluster`, `negative_cluster`.

    The arguments are the columns of train.parquet; `cluster_of` gives each passage text's cluster.
    """
    rows: dict[str, Row] = {}
    for anchor, positive, hard in zip(anchors, positives, negatives, strict=True):
        row = rows.setdefault(positive, {"anchor": [], "negative": {}})
        row["anchor"].append(anchor)
        row["negative"] |= dict.fromkeys(hard)
    return Dataset.from_dict(
        {
            "anchor": [row["anchor"] for row in rows.values()],
            "positive": list(rows),
            "negative": [list(row["negative"]) for row in rows.values()],
            "cluster": [cluster_of[positive] for positive in rows],
            "negative_cluster": [[cluster_of[text] for text in row["negative"]] for row in rows.values()],
        }
    )


@dataclass(frozen=True)
class Vectors:
    """Vectors of texts."""

    row_of: dict[str, int]  # text → row of the table
    table: npt.NDArray[np.float32]  # [n, dimension]

    def of(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.from_numpy(self.table[[self.row_of[text] for text in texts]])


class Collator(SentenceTransformerDataCollator):
    """Passages with their queries → token ids. Each text is tokenized once in a run."""

    def __init__(self, model: SentenceTransformer, negatives: int, base: dict[Kind, Vectors] | None) -> None:
        """`negatives`: hard negatives per passage to put into the batch.

        `base`: the base model's vectors of all queries and passages, to be put in beside their tokens.
        """
        super().__init__(preprocess_fn=model.preprocess)
        self._model = model
        self._negatives = negatives
        self._base = base
        self._tokens: dict[Kind, Tokens] = {}
        self._place: dict[Kind, dict[str, int]] = {"query": {}, "document": {}}  # text → row of the tokens

    def __call__(self, features: list[Row]) -> dict[str, Any]:
        """`anchor_*` for the queries, `positive_*` for the passages, `label`: each query's passage."""
        queries = [query for row in features for query in row["anchor"]]
        passages = {row["positive"]: row["cluster"] for row in features}
        labels = [place for place, row in enumerate(features) for _ in row["anchor"]]
        for row in features:
            hard = zip(row["negative"][: self._negatives], row["negative_cluster"], strict=False)
            for text, cluster in hard:
                passages.setdefault(text, cluster)
        return {
            **{f"anchor_{name}": value for name, value in self._batch(queries, "query").items()},
            **{f"positive_{name}": value for name, value in self._batch(list(passages), "document").items()},
            "positive_cluster": torch.tensor(list(passages.values())),
            "label": torch.tensor(labels),
        }

    def _batch(self, texts: list[str], kind: Kind) -> dict[str, Any]:
        place = self._place[kind]
        new = [text for text in dict.fromkeys(texts) if text not in place]
        if new:
            tokens = encoder.tokenize(self._model, new, kind)
            self._tokens.setdefault(kind, replace(tokens, ids=[])).ids.extend(tokens.ids)
            place.update(zip(new, range(len(place), len(place) + len(new)), strict=True))
        batch = self._tokens[kind].batch([place[text] for text in texts])
        return batch if self._base is None else {**batch, "base": self._base[kind].of(texts)}
