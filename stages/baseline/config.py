"""Settings of the stage `baseline`."""

from dataclasses import dataclass

from fieldtune.runtime.settings import between


@dataclass
class BaselineConfig:
    # Thresholds of the advice on tuning, in NDCG@10 of the base model
    good_enough: float = between(0.0, 1.0)  # above: hardly any room
    worth_it: float = between(0.0, 1.0)  # below: tuning is worth it
    real_evidence: int = between(0, 1_000_000)  # `train`'s; 0: no real query chooses, be it a model or a share
