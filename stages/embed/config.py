"""Settings of the stage `embed`."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime.settings import between, one_of


@dataclass
class EmbedConfig:
    model: ModelConfig = MISSING  # the base model
    launcher: str | None = MISSING  # `train`'s
    precision: str = one_of("auto", "bf16", "fp32")  # auto: bf16 if the hardware is faster in it
    batch_size: int = between(1, 4096)  # passages of 256 tokens encoded at once; more if they are shorter
