"""Inputs of the stages `embed` and `train`, made by hand around a tiny model.

Each passage has three queries of its words: two for training, one for dev.
"""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from fieldtune.corpus import files
from fieldtune.corpus.passages import passage_text, section_id
from fieldtune.corpus.real_queries import RealQuery
from fieldtune.corpus.vectors import QUERIES, write_vectors
from fieldtune.models import base_models, encoder
from fieldtune.models.base_models import ModelConfig
from fieldtune.retrieval.hard_negatives import HardNegatives
from fieldtune.retrieval.judged_queries import generated_id, real_id
from fieldtune.runtime import paths
from stages.embed.config import EmbedConfig
from stages.train.config import TrainConfig
from tests.tiny_model import DIMENSION, WORDS, tiny_model
from tests.vectors import write_encoded

ROOT = Path(__file__).parents[2]
PASSAGES = 40
SECRETS = ("zyxtitle", "zyxpassage", "zyxgenerated", "zyxreal")  # words of the documents and queries
PROMPTS = {"query": "word58 word59 ", "document": "word57 "}


def model_config(folder: Path = Path("own/model"), **changes: Any) -> ModelConfig:
    values = {
        "name": "someone/tiny",
        "package": None,
        "path": str(folder),
        "query_prompt": PROMPTS["query"],
        "passage_prompt": PROMPTS["document"],
        "max_tokens": 64,
        "dimension": DIMENSION,
        "license": "mit",
        "language": None,
    }
    return ModelConfig(**{**values, **changes})


def train_config(**changes: Any) -> TrainConfig:
    values = {
        "model": model_config(),
        "pin": "data/none.jsonl",
        "launcher": None,
        "epochs": 120,
        "rounds": 1,
        "learning_rate": 5e-3,
        "batch_size": 40,
        "warmup": 0.1,
        "weight_decay": 0.01,
        "temperature": 0.05,
        "negatives": 0,
        "mining": HardNegatives(count=2, first_rank=2, last_rank=20, margin=0.95),
        "symmetric": False,
        "matryoshka": [],
        "lora": 0,
        "max_grad_norm": 1.0,
        "precision": "fp32",
        "microbatch_tokens": 256,
        "gradient_cache": False,
        "gradient_checkpointing": False,
        "compile": None,
        "real_evidence": 0,
        "evaluations": 3,
        "patience": None,
        "interpolations": 0,
        "certainty": 0.5,
        "negligible": 0.02,
        "keyphrases_share": 0.5,
        "encode_batch_size": 8,
        "dev_corpus": 30,
        "seed": 0,
    }
    return TrainConfig(**{**values, **changes})


def embed_config(**changes: Any) -> EmbedConfig:
    values = {"model": model_config(), "launcher": None, "precision": "fp32", "batch_size": 2}
    return EmbedConfig(**{**values, **changes})


def configure(folder: Path, config: TrainConfig | EmbedConfig) -> None:
    """Write a stage's settings as compose does."""
    stage = "train" if isinstance(config, TrainConfig) else "embed"
    files.write_text(folder / paths.CONFIG / f"{stage}.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))


def write(folder: Path) -> None:
    """Write below `folder` all that the two stages read, and the vectors that the first would make."""
    drawn = random.Random(0)
    passages, queries, real = [], [], []
    for number in range(PASSAGES):
        words = drawn.sample(range(50), drawn.randint(3, 9))
        passages.append(
            {
                "id": f"doc.md#part-{number}",
                "source": "doc.md",
                "document": "doc.md",
                "language": "",
                "section": f"Part {number}",
                "title": "zyxtitle",
                "text": " ".join(["zyxpassage", *(WORDS[word] for word in words)]),
            }
        )
        for _ in range(3):
            chosen = [WORDS[word] for word in drawn.sample(words, 3)]
            query = " ".join(["zyxgenerated", *chosen])
            queries.append({"passage_id": passages[-1]["id"], "query": query, "kind": "task", "provider": "test"})
        section = section_id("doc.md", passages[-1]["section"])
        query = f"zyxreal {WORDS[words[0]]} {number}"
        real.append(RealQuery(query, "test", sections=[section], passages=[passages[-1]["id"]], overlap=0.0))
    model = tiny_model(folder / "own/transformer")
    model.save(str(folder / "own/model"), create_model_card=False)
    model.prompts = dict(PROMPTS)
    write_encoded(
        model,
        folder / paths.VECTORS,
        [passage_text(row) for row in passages],
        [row["query"] for row in queries] + [query.query for query in real],
    )
    files.write_text(
        folder / paths.VECTORS / base_models.WEIGHTS, base_models.weights(model_config(folder / "own/model"))
    )
    files.write_jsonl(folder / paths.PASSAGES, passages)
    files.write_jsonl(folder / paths.QUERIES, queries)
    files.write_jsonl(folder / paths.REAL, (query.row() for query in real))
    texts = [passage_text(row) for row in passages]
    train = [row for row in range(len(queries)) if row % 3]
    files.write_table(
        folder / paths.TRAIN,
        {
            "anchor": [queries[row]["query"] for row in train],
            "positive": [texts[row // 3] for row in train],
            "negative_1": [texts[(row // 3 + 7) % PASSAGES] for row in train],
        },
    )
    files.write_table(folder / paths.DATASET / "train_ids.parquet", {"query_id": [generated_id(row) for row in train]})
    files.write_table(
        folder / paths.CLUSTERS, {"passage_id": [row["id"] for row in passages], "cluster": list(range(PASSAGES))}
    )
    dev = range(0, len(queries), 3)
    files.write_table(
        folder / paths.QRELS,
        {
            "set": ["dev"] * len(dev),
            "query_id": [generated_id(row) for row in dev],
            "section": [section_id("doc.md", f"Part {row // 3}") for row in dev],
            "passage_id": [passages[row // 3]["id"] for row in dev],
            "relevance": [1] * len(dev),
            "group": [row // 3 for row in dev],
        },
    )
    configure(folder, train_config())
    configure(folder, embed_config())
    files.write_text(folder / "data/none.jsonl", "\n")
    files.write_text(folder / ".dvc/config", "")


def ask(folder: Path, texts: Sequence[str], each: int = 1) -> None:
    """Make these the real queries, so many for each passage in their order, with vectors and judgements."""
    passages = [row for row in files.read_jsonl(folder / paths.PASSAGES) for _ in range(each)][: len(texts)]
    sections = [section_id("doc.md", row["section"]) for row in passages]
    rows = [
        RealQuery(text, "test", sections=[section], passages=[row["id"]], overlap=0.0)
        for text, section, row in zip(texts, sections, passages, strict=True)
    ]
    files.write_jsonl(folder / paths.REAL, (query.row() for query in rows))
    model = encoder.load_folder(folder / "own/model")
    model.prompts = dict(PROMPTS)
    every = [row["query"] for row in files.read_jsonl(folder / paths.QUERIES)] + list(texts)
    write_vectors(
        folder / paths.VECTORS, QUERIES, every, encoder.encode(model, every, "query", bf16=False, batch_size=8)
    )
    judged = files.read_table(folder / paths.QRELS)
    more = {
        "set": ["real"] * len(texts),
        "query_id": [real_id(row) for row in range(len(texts))],
        "section": sections,
        "passage_id": [row["id"] for row in passages],
        "relevance": [1] * len(texts),
        "group": [number // each for number in range(len(texts))],
    }
    files.write_table(folder / paths.QRELS, {name: [*judged[name], *more[name]] for name in judged})


def start(stage: str, folder: Path) -> "subprocess.Popen[str]":
    """Start a stage as DVC does, in `folder`; without what this process's imports have set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DVC_"))}
    for name in ("TRANSFORMERS_VERBOSITY", "TOKENIZERS_PARALLELISM"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=folder,
        # One thread: with tensors this small, threads only wait for each other.
        env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(stage: str, folder: Path) -> tuple[int, str]:
    """Exit status of a stage and all that it printed."""
    process = start(stage, folder)
    output, _ = process.communicate()
    return process.returncode, output
