"""Settings of the stage `train`."""

from dataclasses import dataclass

from omegaconf import MISSING

from stages.models import ModelConfig
from stages.settings import between, one_of


@dataclass
class TrainConfig:
    model: ModelConfig = MISSING  # the base model
    epochs: float = between(0.01, 100)  # passes over the training passages
    learning_rate: float = between(1e-8, 1e-1)  # the peak, reached after warmup
    # Passages in a batch, each with all its queries: every query sees the others' passages as negatives.
    batch_size: int = between(2, 65536)
    warmup: float = between(0.0, 1.0)  # share of the steps in which the learning rate rises
    weight_decay: float = between(0.0, 1.0)
    temperature: float = between(0.001, 1.0)  # divides the cosines; .05 is MNRL's usual scale of 20
    negatives: int = between(0, 50)  # hard negatives of the data set used per passage
    # A passage of the batch is no negative of a query where the base model scores it above this share of the query's
    # own passage (NV-Retriever's positive-aware rule, arXiv:2407.15831); null: all are negatives but copies.
    mask_margin: float | None = between(0.1, 1.0)
    max_grad_norm: float = between(0.0, 1000.0)  # 0: no clipping
    precision: str = one_of("auto", "bf16", "fp32")  # autocast; weights are float32 always
    microbatch_tokens: int = between(64, 1048576)  # padded tokens in one forward pass
    gradient_checkpointing: bool = MISSING  # saves memory, costs a third of the speed
    evaluations: int = between(1, 100)  # times per run that the checkpoint is measured on dev
    # Passages the dev queries are ranked against: their own, the base model's nearest, then others at random.
    dev_corpus: int = between(10, 10_000_000)
    seed: int = between(0, 2**31)
