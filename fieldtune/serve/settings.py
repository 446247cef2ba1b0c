"""The settings of the service; one picklable value, since every worker process gets it."""

from dataclasses import dataclass
from pathlib import Path

MODELS = ("auto", "int8", "fp32", "torch")
VECTORS = ("float32", "int8")


@dataclass(frozen=True)
class ServeSettings:
    """The options of `fieldtune serve`, where their defaults and meanings stand."""

    folder: Path  # an export: data/export/
    name: str  # of the model in requests and replies
    model: str  # one of MODELS
    vectors: str  # one of VECTORS: of the passages, in /v1/search
    workers: int  # processes
    threads: int  # of each worker's model
    batch_tokens: int | None  # encoded at once; None: what suits the model's device
    queue_tokens: int  # of all requests that wait or are being encoded; beyond that 429
    max_requests: int  # open at once in one worker; beyond that 429
    max_inputs: int  # texts of one request
    max_tokens: int  # of one request, counted after texts are cut at the model's limit
    max_bytes: int  # of one request's body
