"""What `search` and `judge` look at before they load a model, which takes seconds."""

from stages import paths
from stages.errors import UserError

_MOST = 100  # sections of each system: what is ranked


def check_ranking(top: int) -> None:
    """Raises UserError where the first `top` sections cannot be shown, or the stages before have not run."""
    if not 1 <= top <= _MOST:
        raise UserError(f"--top is {top}: it must be from 1 to {_MOST}")
    for path in (paths.PASSAGES, paths.VECTORS / "passages.safetensors"):
        if not path.is_file():
            raise UserError(f"{path} is not there: run `dvc repro embed`, which goes as far as is needed here")
