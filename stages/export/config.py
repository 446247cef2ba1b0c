"""Settings of the stage `export`."""

from dataclasses import dataclass

from omegaconf import MISSING

from stages.models import ModelConfig
from stages.settings import between


@dataclass
class ExportConfig:
    model: ModelConfig = MISSING  # the base model: its name and licence go into the model card
    onnx: bool = MISSING  # model.onnx, and model_int8.onnx beside it
    # NDCG@10 that int8 may lose on the test queries; more, and it is not exported
    max_loss: float = between(0.0, 1.0)
    batch_size: int = between(1, 4096)  # texts encoded at once in that check
