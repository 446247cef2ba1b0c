"""Settings of the stage `evaluate`."""

from dataclasses import dataclass

from omegaconf import MISSING

from fieldtune.models.base_models import ModelConfig
from fieldtune.runtime.settings import between, one_of


@dataclass
class EvaluateConfig:
    model: ModelConfig = MISSING  # the base model, named in the report
    launcher: str | None = MISSING  # `train`'s
    precision: str = one_of("auto", "bf16", "fp32")  # as in `embed`, so that base and tuned are treated alike
    batch_size: int = between(1, 4096)  # `embed`'s: vectors in bf16 depend on it a little
    draws: int = between(100, 1_000_000)  # of the bootstrap
    confidence: float = between(0.5, 0.999)  # of the interval
    # Gains in NDCG@10
    meaningful: float = between(0.0, 1.0)  # from here on a gain is worth shipping
    negligible: float = between(0.0, 1.0)  # a gain below this suggests looking at the data
    # The base model's NDCG@10, as in `baseline`
    good_enough: float = between(0.0, 1.0)  # above: hardly any room
    worth_it: float = between(0.0, 1.0)  # below: tuning is worth it
    real_evidence: int = between(0, 1_000_000)  # as in `baseline`
    forgetting: float = between(0.0, 1.0)  # loss in NDCG@10 on general queries that causes a warning
    data_curve: bool = MISSING  # measure, in the stage `curve`, whether more queries would help
    reranker: str | None = MISSING  # a cross-encoder that re-ranks each system's first 100; null: none
    reranker_queries: int = between(1, 1_000_000)  # queries of the main set to rerank; about 200 passages each
    seed: int = between(0, 2**31)  # draws for the bootstrap, the randomisation test and the re-ranked queries
