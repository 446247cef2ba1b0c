"""Settings of the stage `train`."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.models.base_models import ModelConfig
from fieldtune.retrieval.hard_negatives import HardNegatives
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import between, numbers_between, one_of


def refuse_too_large(sizes: Sequence[int], dimension: int) -> None:
    """Raises UserError if `train.matryoshka` has sizes that the model's vectors cannot be cut to."""
    if too_large := [size for size in sizes if size >= dimension]:
        raise UserError(f"train.matryoshka: {too_large} are not below the model's own dimension, {dimension}")


@dataclass
class TrainConfig:
    model: ModelConfig = MISSING  # the base model
    # The folder of a model that was tuned before, to be used as it is: new documents, old vectors; an empty file: none.
    pin: str = MISSING
    launcher: str | None = MISSING  # a file of `accelerate config`, for several processes; null: one process
    # Passes over the training passages, per round; null: three if most queries are in the style of typed ones,
    # otherwise one
    epochs: float | None = between(0.01, 100)
    # 2: train, mine hard negatives with the result, train on. At least one negative is used then.
    rounds: int = between(1, 5)
    learning_rate: float = between(1e-8, 1e-1)  # the peak, reached after warmup
    # Passages in a batch, each with all its queries: every query sees the others' passages as negatives. Of all
    # devices together: more devices make a step faster, not larger.
    batch_size: int = between(2, 65536)
    warmup: float = between(0.0, 1.0)  # share of the steps in which the learning rate rises
    weight_decay: float = between(0.0, 1.0)  # AdamW's
    temperature: float = between(0.001, 1.0)  # divides the cosines; 0.05 is MNRL's usual scale of 20
    negatives: int = between(0, 50)  # hard negatives of the data set used per passage
    mining: HardNegatives = MISSING  # how the later rounds look for negatives
    symmetric: bool = MISSING  # adds the loss from passages to queries
    matryoshka: list[int] = numbers_between(8, 16384)  # noqa: RUF009 (a dataclasses.field): sizes to cut vectors to; []: none
    lora: int = between(0, 1024)  # rank of low-rank adapters trained instead of all weights; 0: all weights
    max_grad_norm: float = between(0.0, 1000.0)  # 0: no clipping
    precision: str = one_of("auto", "bf16", "fp32")  # autocast; weights are always float32
    # Tokens in one forward pass: as many as suit the caches of a CPU; null: 512 on a CPU, 32,768 on a GPU. In bf16 on
    # a GPU, a batch goes through in one pass unless the gradient cache is used.
    microbatch_tokens: int | None = between(64, 1048576)
    gradient_cache: bool = MISSING  # activations of one microbatch at a time, for 50% more time; used if needed
    gradient_checkpointing: bool = MISSING  # activations of one layer at a time, for a third more time; used if needed
    compile: bool | None = MISSING  # torch.compile of the layers; null: if a run on a GPU is long enough to gain
    evaluations: int = between(1, 100)  # times per round that the checkpoint is measured on dev
    patience: int | None = between(1, 100)  # training ends after so many measurements without a better one; null: never
    # Mixtures of the base's and the best checkpoint's weights, evenly spaced, that are also measured on dev (WiSE-FT,
    # arXiv:2109.01903); 0: none
    interpolations: int = between(0, 20)
    # If all pairs are key phrases, which nobody typed: the share of the way from the base's weights to the best's.
    keyphrases_share: float = between(0.05, 1.0)
    # How sure dev must be that the tuned model is better; otherwise the base is kept; 0.5: any gain will do.
    certainty: float = between(0.5, 0.9999)
    negligible: float = between(0.0, 1.0)  # `evaluate`'s: the gain that dev needs without the kind that gains most
    # About how many real test queries choose between the tuned model and the base, after dev has chosen the candidate:
    # from 100 on they decide if both halves of them agree, from 30 on they can keep the base. 0: dev alone decides.
    # 400 tell a gain of about 0.025 from luck; they are ranked against `dev_corpus` passages, including their answers.
    real_evidence: int = between(0, 1_000_000)
    encode_batch_size: int = between(1, 4096)  # `embed`'s
    # Passages the dev queries are ranked against: their own, the base model's nearest, then others at random. Among so
    # many of the base's own confusions a gain looks larger than it is: on the sample 0.063, among all passages 0.045.
    dev_corpus: int = between(10, 10_000_000)
    seed: int = between(0, 2**31)  # draws the order of the batches, adapters and the passages that dev is scored on
