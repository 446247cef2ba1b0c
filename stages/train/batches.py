"""The training set, one row per passage with all its queries, and the batches made from it."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import SentenceTransformerDataCollator
from torch.utils.data import BatchSampler, Sampler

from fieldtune.models import encoder
from fieldtune.models.encoder import Kind

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


class Shares:
    """Batches of the rows that `sampler` draws, each cut into one part per process, in their order.

    accelerate hands the parts out, so that each step sees the same as in a single process. It reads `sampler`, and
    would leave out parts whose size is not `batch_size`. If a batch has fewer rows than there are processes, a row goes
    to several of them.
    """

    def __init__(self, sampler: Sampler[int], size: int, processes: int) -> None:
        """`size`: rows of a whole batch."""
        self.sampler = sampler
        self._size = size
        self._processes = processes

    def __iter__(self) -> Iterator[list[int]]:
        for batch in BatchSampler(self.sampler, self._size, drop_last=False):
            for number in range(self._processes):
                yield batch[number :: self._processes] or [batch[number % len(batch)]]

    def __len__(self) -> int:
        return len(BatchSampler(self.sampler, self._size, drop_last=False)) * self._processes


class Collator(SentenceTransformerDataCollator):
    """A collator: passages with their queries → token ids. Each text is tokenized once per run."""

    def __init__(self, model: SentenceTransformer, rows: Dataset, negatives: int) -> None:
        """`rows`: all rows that batches are made of; `negatives`: hard negatives per passage to put into a batch."""
        super().__init__(preprocess_fn=model.preprocess)
        self._negatives = negatives
        columns = {name: rows[name] for name in ("anchor", "positive", "negative")}
        hard = [text for texts in columns["negative"] for text in texts[:negatives]]
        distinct: dict[Kind, list[str]] = {
            "query": list(dict.fromkeys(text for texts in columns["anchor"] for text in texts)),
            "document": list(dict.fromkeys([*columns["positive"], *hard])),
        }
        self._tokens = {kind: encoder.tokenize(model, texts, kind) for kind, texts in distinct.items()}
        self._place = {kind: {text: place for place, text in enumerate(texts)} for kind, texts in distinct.items()}

    def __call__(self, features: list[Row]) -> dict[str, Any]:
        """`anchor_*` for the queries, `positive_*` for the passages, both longest first; `label`: queries' passages.

        With `positive_cluster`, and `positive_text`, a number for each distinct passage text.
        """
        pairs = [(query, row["positive"]) for row in features for query in row["anchor"]]
        cluster_of = {row["positive"]: row["cluster"] for row in features}
        for row in features:
            hard = zip(row["negative"][: self._negatives], row["negative_cluster"], strict=False)
            for text, cluster in hard:
                cluster_of.setdefault(text, cluster)
        # Longest first, so that the texts of a microbatch are of similar length.
        order = self._by_length([query for query, _ in pairs], "query")
        queries, own = zip(*(pairs[number] for number in order), strict=True)
        texts = list(cluster_of)
        passages = [texts[number] for number in self._by_length(texts, "document")]
        column = {text: number for number, text in enumerate(passages)}
        return {
            **{f"anchor_{name}": value for name, value in self._batch(queries, "query").items()},
            **{f"positive_{name}": value for name, value in self._batch(passages, "document").items()},
            "positive_text": torch.tensor([self._place["document"][text] for text in passages]),
            "positive_cluster": torch.tensor([cluster_of[text] for text in passages]),
            "label": torch.tensor([column[passage] for passage in own]),
        }

    def size(self, row: Row) -> int:
        """Tokens of a row's passage, its hard negatives and its queries."""
        passages = [row["positive"], *row["negative"][: self._negatives]]
        texts: list[tuple[Kind, str]] = [("document", text) for text in passages]
        texts += [("query", text) for text in row["anchor"]]
        return sum(len(self._tokens[kind].ids[self._place[kind][text]]) for kind, text in texts)

    def _by_length(self, texts: Sequence[str], kind: Kind) -> list[int]:
        place, ids = self._place[kind], self._tokens[kind].ids
        return sorted(range(len(texts)), key=lambda number: -len(ids[place[texts[number]]]))

    def _batch(self, texts: Sequence[str], kind: Kind) -> dict[str, Any]:
        return self._tokens[kind].batch([self._place[kind][text] for text in texts])
