"""The training set, one row a passage with all its queries, and the batches made of it."""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import SentenceTransformerDataCollator

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


class Collator(SentenceTransformerDataCollator):
    """Passages with their queries → token ids. Each text is tokenized once in a run."""

    def __init__(self, model: SentenceTransformer, negatives: int) -> None:
        """`negatives`: hard negatives per passage to put into the batch."""
        super().__init__(preprocess_fn=model.preprocess)
        self._tokenizer = model.tokenizer
        self._length = model.max_seq_length
        self._prompts = model.prompts
        self._negatives = negatives
        self._known: dict[tuple[str, str], list[int]] = {}

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
            **{f"anchor_{name}": ids for name, ids in self._padded("query", queries).items()},
            **{f"positive_{name}": ids for name, ids in self._padded("document", list(passages)).items()},
            "positive_cluster": torch.tensor(list(passages.values())),
            "label": torch.tensor(labels),
        }

    def _padded(self, kind: str, texts: list[str]) -> dict[str, torch.Tensor]:
        new = [text for text in dict.fromkeys(texts) if (kind, text) not in self._known]
        if new:
            prompt = self._prompts.get(kind) or ""
            encoded = self._tokenizer([prompt + t for t in new], truncation=True, max_length=self._length)
            self._known |= {(kind, text): ids for text, ids in zip(new, encoded["input_ids"], strict=True)}
        rows = [self._known[kind, text] for text in texts]
        width = max(len(row) for row in rows)
        ids = torch.full((len(rows), width), self._tokenizer.pad_token_id or 0)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        return {"input_ids": ids, "attention_mask": mask}
