"""Settings of the stage `export`."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime.settings import between


@dataclass
class CheckConfig:
    """Sizes of the checks of the ONNX files, which take most of the stage's time besides the graph's export."""

    # Passages encoded by torch in float32, too, for the cosines; the written model folder is compared with them as well
    texts: int = between(1, 100_000)
    # Test queries drawn for NDCG@10, and passages they are ranked against: all answers, the nearest, others at random.
    # With 1,000 queries the loss is known to about ±0.002.
    queries: int = between(1, 10_000_000)
    passages: int = between(10, 10_000_000)  # those that the queries are ranked against


@dataclass
class ExportConfig:
    model: ModelConfig = MISSING  # the base model: its name and licence go into the model card
    confidence: float = between(0.5, 0.999)  # of the intervals in metrics.json, as `evaluate` has it
    onnx: bool = MISSING  # model.onnx, and model_quantized.onnx beside it
    max_loss: float = between(0.0, 1.0)  # NDCG@10 that int8 may lose; if it loses more, it is not exported
    int8_vectors: bool = MISSING  # add int8 to float32 in vectors/passages.parquet: a quarter of its size
    binary_vectors: bool = MISSING  # add vectors of one bit per number
    texts: bool = MISSING  # the passages' titles and texts in search/, so that the service can show its results
    card_examples: bool = MISSING  # put test queries, and the passages retrieved for them, into the model card
    check: CheckConfig = MISSING
    batch_size: int = between(1, 4096)  # texts encoded at once in the checks; on a CPU more is not faster
    seed: int = between(0, 2**31)  # draws the texts, queries and passages of the checks
