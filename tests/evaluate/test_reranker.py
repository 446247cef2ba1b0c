"""A real, tiny cross-encoder: what it reads, and the order that comes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from fieldtune.corpus.passages import Corpus
from fieldtune.retrieval import ranking
from fieldtune.retrieval.ranking import DEPTH, Rankings
from fieldtune.runtime.errors import UserError
from stages.evaluate import reranker
from tests.tiny_model import WORDS, tiny_model


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    tokenizer: PreTrainedTokenizerFast = tiny_model(folder / "words").tokenizer
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    shape = BertConfig(**sizes, intermediate_size=32, pad_token_id=1, initializer_range=0.5)
    shape.num_labels = labels
    model = BertForSequenceClassification(shape)
    model.save_pretrained(folder / "cross")
    tokenizer.save_pretrained(folder / "cross")
    return folder / "cross"


ROWS = [
    {"source": "d", "section": f"s{n // 2 if n < 4 else n}", "title": WORDS[n], "text": " ".join(WORDS[n : n + 6])}
    for n in range(12)
]
CORPUS = Corpus.from_passages(ROWS)  # the first two sections have two passages each


def ranked(*rows: list[int]) -> Rankings:
    filled = np.array([row + [-1] * (DEPTH - len(row)) for row in rows])
    return Rankings(filled, np.where(filled < 0, -np.inf, 0.0))


def test_each_system_keeps_its_sections_in_the_cross_encoders_order(tmp_path: Path) -> None:
    model = reranker.Reranker(reranker.load(cross_encoder(tmp_path)), bf16=False, batch_size=4)
    systems = {"base": ranked([0, 1, 5], [2]), "bm25": ranked([9, 5, 3], [])}
    queries = ["word3 word7", "word1"]
    query_vectors = np.array([[1, 0], [0, 1]], dtype=np.float32)
    table = np.array([[n % 2, 0.5] for n in range(12)], dtype=np.float32)  # the second piece is nearer to query 1
    reranked = reranker.rerank(model, queries, query_vectors, table, systems, CORPUS)
    passage = {0: 1, 1: 3, **{section: section + 2 for section in range(2, 10)}}
    plain = CrossEncoder(str(tmp_path / "cross"), local_files_only=True)
    for system, sections in (("base", [0, 1, 5]), ("bm25", [9, 5, 3])):
        scores = plain.predict([(queries[0], CORPUS.texts[passage[section]]) for section in sections])
        order = [sections[place] for place in np.argsort(-np.asarray(scores))]
        assert reranked[system].sections[0, :4].tolist() == [*order, -1]
        assert reranked[system].scores[0, :3].tolist() == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
    assert reranked["base"].sections[1, :2].tolist() == [2, -1]
    assert reranked["bm25"].sections[1, 0] == -1


def test_equal_scores_rank_as_everywhere() -> None:
    reranked = ranking.reordered(ranked([0, 1, 2]), [{0: 0.5, 1: 0.5, 2: 0.5}], CORPUS)
    assert reranked.sections[0, :4].tolist() == [2, 1, 0, -1]  # the id that sorts last comes first


def test_what_is_no_reranker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing is not a model folder; it must hold a cross-encoder"):
        reranker.load(tmp_path / "nothing")
    (tmp_path / "config.json").write_text("broken")
    with pytest.raises(UserError, match="could not be loaded as a cross-encoder"):
        reranker.load(tmp_path)
    with pytest.raises(UserError, match="gives 3 numbers per pair"):
        reranker.load(cross_encoder(tmp_path, labels=3))
