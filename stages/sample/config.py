"""Settings of the stage `sample`."""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class Wheel:
    """One pinned Python wheel, downloaded as data: never installed, never imported."""

    version: str = MISSING  # of the package
    sha256: str = MISSING  # of the wheel file


@dataclass
class SampleConfig:
    botocore: Wheel = MISSING  # the documents: its service models
    awscli: Wheel = MISSING  # the real queries: titles over its examples
