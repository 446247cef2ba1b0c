"""Settings of the stage `ingest`."""

from dataclasses import dataclass

from omegaconf import MISSING

from stages.settings import between


@dataclass
class IngestConfig:
    documents: str = MISSING  # the folder, `documents:` of params.yaml
    include: list[str] = MISSING  # globs below it
    # Tokens of one passage, title and special tokens included. 256 is what all-MiniLM-L6-v2 reads; longer
    # passages blur what they are about.
    max_tokens: int = between(16, 8192)
    # The tokenizer that counts, whatever the model: a new cut would buy new queries. `package/file`.
    tokenizer: str = MISSING
