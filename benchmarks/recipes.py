"""The two recipes of a training: the values of conf/config.yaml, and the tutorial's."""

import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import PrinterCallback

from fieldtune.models.base_models import ModelConfig
from fieldtune.retrieval.hard_negatives import HardNegatives
from fieldtune.runtime import paths
from fieldtune.runtime.console import Bar
from stages.train.config import TrainConfig

EPOCHS = 3  # the tutorial's


def settings(**changes: Any) -> TrainConfig:
    """The values of conf/config.yaml."""
    from omegaconf import OmegaConf

    conf = OmegaConf.load(Path(__file__).parents[1] / "conf/config.yaml")
    values: Any = OmegaConf.to_container(conf.train, resolve=False)
    model = ModelConfig("", None, None, "", "", 256, None, "", None)
    mining = HardNegatives(**conf.dataset.negatives)
    values |= {"model": model, "mining": mining, "launcher": None, "precision": "auto", "pin": paths.NONE.as_posix()}
    values["epochs"] = 1
    values["encode_batch_size"] = conf.embed.batch_size
    return TrainConfig(**(values | changes))


class Clock(Bar):
    """Takes the place of the progress bar: when did a step end?"""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last, self._step = first, last, 0
        self.seconds = 0.0
        self._started = 0.0

    def advance(self, steps: float = 1) -> None:
        self._step += int(steps)
        if self._step in (self._first, self._last) and steps:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            now = time.perf_counter()
            self.seconds, self._started = now - self._started, now

    def note(self, text: str) -> None:
        pass

    def expect(self, total: float) -> None:
        pass


def tutorial_trainer(
    model: SentenceTransformer, anchors: list[str], positives: list[str], folder: str, bf16: bool, **changes: Any
) -> SentenceTransformerTrainer:
    """sentence-transformers' own recipe; `changes` are arguments of its trainer."""
    usual: dict[str, Any] = {
        "output_dir": folder,
        "per_device_train_batch_size": 64,
        "learning_rate": 2e-5,
        "warmup_steps": 0.1,
        "bf16": bf16 and torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
        "batch_sampler": BatchSamplers.NO_DUPLICATES,
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
    }
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(**(usual | changes)),
        train_dataset=Dataset.from_dict({"anchor": anchors, "positive": positives}),
        loss=MultipleNegativesRankingLoss(model),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
