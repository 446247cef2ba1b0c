"""The folder `.fieldtune/`, for what must outlive a stage's outputs, which DVC deletes before each run.

It lies beside DVC's cache, so that a queued or temporary experiment, which runs in a copy of the repository but
shares its cache, finds the same state.
"""

from pathlib import Path

from fieldtune.runtime.errors import UserError


def root() -> Path:
    """The state folder of the main repository, created if necessary."""
    from dvc.config import Config

    dvc_dir = Path(".dvc").resolve()
    if not dvc_dir.is_dir():
        raise UserError(f"{dvc_dir} not found: run this from the root of the repository")
    configured = Config(str(dvc_dir))["cache"].get("dir")
    cache = Path(configured) if configured else dvc_dir / "cache"
    # The default cache is <repository>/.dvc/cache; one set elsewhere has no repository around it.
    home = cache.parent.parent if cache.parent.name == ".dvc" else cache.parent
    folder = home / ".fieldtune"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
