"""The choices of `generator:` in params.yaml, composed as the pipeline composes them."""

from typing import TYPE_CHECKING

from fieldtune.runtime import paths

if TYPE_CHECKING:
    from stages.generate.config import GenerateConfig


def unknown(choice: str) -> str | None:
    """The reason why `generator:` cannot name this choice; None if it can."""
    from stages.compose.layers import available_choices

    choices = available_choices(paths.CONF, "generator")
    if choice in choices:
        return None
    return f"{choice} is not a choice of {paths.CONF / 'generator'}/; available: {', '.join(choices)}"


def settings(**values: str) -> "GenerateConfig":
    """The settings of stage `generate` if params.yaml had these values. Raises UserError as composing does."""
    from stages.compose.compose import compose

    return compose(paths.PARAMS, paths.CONF, values).generate
