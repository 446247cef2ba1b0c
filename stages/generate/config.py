"""Settings of the stage `generate`."""

from dataclasses import dataclass

from omegaconf import MISSING

from stages.settings import between, some_of


@dataclass
class GeneratorConfig:
    """A way to get queries, as `conf/generator/<choice>.yaml` describes it."""

    # In this order; each adds its queries
    providers: list[str] = some_of("recorded", "keyphrases")  # noqa: RUF009 (it is a dataclasses.field)
    recorded: str = MISSING  # `recorded`: the file of recorded queries
    words: int = between(1, 12)  # `keyphrases`: length of its query of key words
    # `keyphrases`: share of the passages that get them; each passage trained on costs time
    share: float = between(0.01, 1.0)


@dataclass
class GenerateConfig:
    generator: GeneratorConfig = MISSING
    seed: int = between(0, 2**31)
