"""The settings of the service; one picklable value, since every worker process gets it."""

import os
from dataclasses import dataclass
from pathlib import Path

from fieldtune.runtime.errors import UserError

API_KEY = "FIELDTUNE_API_KEY"  # environment variable; empty or not set: whoever reaches the service may use it
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
    token_ids: bool = False  # ids without this model's special tokens around them are taken for its own
    prefix: str = ""  # of the path, if a proxy leaves it on: "/embed"
    cors_origins: tuple[str, ...] = ()  # web pages that may ask; "*": all


def api_key() -> str:
    """The key that requests must have; empty: none. Raises UserError if the environment's is not one.

    A line end behind it, as of a file that was read into the variable, is not part of it.
    """
    given = os.environ.get(API_KEY, "")
    key = given.strip()
    if given and not key:
        raise UserError(f"{API_KEY} is blank: give a key, or unset it to let in whoever reaches the service")
    if any(ord(character) < 32 for character in key):
        raise UserError(f"{API_KEY} has a line break or another control character inside, which no client can send")
    return key
