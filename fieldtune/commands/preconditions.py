"""Checks of `search` and `judge` before they load a model, which takes seconds."""

from fieldtune.corpus.vectors import PASSAGES
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

_MOST = 100  # sections per system: the depth of the rankings


def check_ranking(top: int) -> None:
    """Raise UserError if the first `top` sections cannot be shown, or the earlier stages have not run."""
    if not 1 <= top <= _MOST:
        raise UserError(f"--top is {top}: it must be from 1 to {_MOST}")
    for path in (paths.PASSAGES, paths.VECTORS / PASSAGES):
        if not path.exists():
            raise UserError(f"{path} not found: run `dvc repro embed`, which makes everything needed here")
