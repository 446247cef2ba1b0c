"""Settings of the stage `curve`; it trains with the stage `train`'s settings."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.runtime.settings import between, one_of


@dataclass
class CurveConfig:
    data_curve: bool = MISSING  # `evaluate`'s: if false, the stage does nothing
    precision: str = one_of("auto", "bf16", "fp32")  # as in `evaluate`, so that all points are measured alike
    batch_size: int = between(1, 4096)  # `evaluate`'s
