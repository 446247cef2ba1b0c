"""Settings of the stage `real`."""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class RealConfig:
    documents: str = MISSING  # the folder, `documents:` in params.yaml: a BEIR folder has queries of its own
    queries: str = MISSING  # the user's real queries, `queries:` in params.yaml
    style: str = MISSING  # the examples of style, `style:` in params.yaml: they leave the test
