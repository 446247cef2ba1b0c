"""What the stage `export` reads, made by hand around a tiny model."""

import random
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text, section_id
from fieldtune.corpus.vectors import read_vectors
from fieldtune.models import encoder, tuned_model
from fieldtune.retrieval import ranking
from fieldtune.retrieval.judged_queries import real_id
from fieldtune.runtime import paths
from tests.evaluate.made_up import scores
from tests.tiny_model import WORDS, tiny_model
from tests.vectors import write_encoded

PASSAGES, QUERIES = 40, 60
SECRETS = ("zyxtitle", "zyxpassage", "zyxgenerated", "zyxreal")  # words of the documents and queries
PROMPTS = {"query": "word1 word2 ", "document": "word3 "}
CONFIG = f"""\
model:
  {{name: someone/tiny, package: null, path: null, query_prompt: '{PROMPTS["query"]}',
    passage_prompt: '{PROMPTS["document"]}', max_tokens: 64, dimension: 32, license: mit, language: en}}
confidence: 0.95
onnx: true
max_loss: 1.0
int8_vectors: false
binary_vectors: false
texts: false
card_examples: false
check: {{texts: 8, queries: 50, passages: 1000}}
batch_size: 8
seed: 0
"""
DATASET = {
    "generated": 90, "kept": 84, "passages": PASSAGES, "split": {"unit": "section"},
    "real": {"test": QUERIES, "dev": 0, "train": 0},
    **{side: {"pairs": pairs, "passages": pairs // 4} for side, pairs in (("train", 60), ("dev", 12), ("test", 12))},
}  # fmt: skip

HISTORY = {"loss": [], "dev": [], "chosen": {"step": 1, "share": 1.0, "by": "dev", "doubt": None}}


def metrics() -> dict[str, Any]:
    """An evaluation's metrics.json."""
    wide = {"tuned": (0.77, 0.83), "base": (0.66, 0.74)}
    sets = {name: scores(n, drawn=wide).json() for name, n in (("real", QUERIES), ("real_hard", 20), ("synthetic", 12))}
    return {
        **sets, "hybrid_weight": {"hybrid": 0.4, "tuned_hybrid": 0.7}, "heading_share": 0.1,
        "similarity_to_base": 0.9, "verdict": "ship", "recommend": "tuned",
        "reasons": ["A gain of 0.05 or more is meaningful."],
    }  # fmt: skip


def spoil(model: SentenceTransformer) -> None:
    """Let one number inside the last layer be so large that in int8 little is left of the others.

    In float32 it changes nothing.
    """
    transformer: Any = model[0]
    layer = transformer.auto_model.encoder.layer[1]
    with torch.no_grad():
        layer.intermediate.dense.weight[0] = 0
        layer.intermediate.dense.bias[0] = 1000
        layer.output.dense.weight[:, 0] = 0


def write(folder: Path, dtype: torch.dtype = torch.float32, spoiled: bool = False) -> None:
    """Write all below `folder`. A query's one answer is the passage nearest to it: NDCG@10 is 1 before any change."""
    drawn = random.Random(0)
    passages = [
        {
            "id": f"doc.md#part-{number}", "source": "doc.md", "section": f"Part {number}",
            "title": f"zyxtitle word{number}", "text": " ".join(["zyxpassage", *drawn.choices(WORDS, k=5 + number)]),
        }
        for number in range(PASSAGES)
    ]  # fmt: skip
    generated = [{"passage_id": "doc.md#part-0", "query": "zyxgenerated word5", "kind": "task", "provider": "test"}]
    texts = [f"zyxreal {' '.join(drawn.choices(WORDS, k=4))}" for _ in range(QUERIES)]
    model = tiny_model(folder / "own")
    model.prompts = dict(PROMPTS)
    if spoiled:
        spoil(model)
    write_encoded(
        model,
        folder / paths.TUNED_VECTORS,
        [passage_text(row) for row in passages],
        [*(row["query"] for row in generated), *texts],
    )
    encoder.save(model.to(dtype), folder / paths.MODEL)
    files.write_json(folder / paths.MODEL / tuned_model.HISTORY, HISTORY)
    evidence: dict[str, list[Any]] = {"query_id": ["r000000"], "half": [1], "gain": [0.1]}
    files.write_table(folder / paths.MODEL / tuned_model.REAL_EVIDENCE, evidence)
    tuned = folder / paths.TUNED_VECTORS
    real = read_vectors(tuned, "queries", texts)
    corpus = read_vectors(tuned, "passages", [passage_text(row) for row in passages])
    answers = [f"Part {row}" for row in ranking.nearest(real, corpus, 1)[0][:, 0]]
    files.write_jsonl(folder / paths.PASSAGES, passages)
    files.write_jsonl(folder / paths.QUERIES, generated)
    files.write_jsonl(
        folder / paths.REAL,
        [
            {"query": q, "group": "test", "sections": [f"doc.md#{section}"], "passages": [], "overlap": 0.0}
            for q, section in zip(texts, answers, strict=True)
        ],
    )
    files.write_table(
        folder / paths.QRELS,
        {
            "set": ["real"] * QUERIES,
            "query_id": [real_id(row) for row in range(QUERIES)],
            "section": [section_id("doc.md", section) for section in answers],
            "passage_id": [f"doc.md#{section.lower().replace(' ', '-')}" for section in answers],
            "relevance": [1] * QUERIES,
            "group": list(range(QUERIES)),
        },
    )
    files.write_json(folder / paths.DATASET_REPORT, DATASET)
    files.write_json(folder / paths.METRICS, metrics())
    files.write_text(folder / paths.CONFIG / "export.yaml", CONFIG)
    files.write_text(folder / ".dvc/config", "")


def configure(folder: Path, old: str, new: str) -> None:
    """Change a value of the stage's config."""
    path = folder / paths.CONFIG / "export.yaml"
    config = path.read_text(encoding="utf-8")
    assert old in config
    files.write_text(path, config.replace(old, new))
