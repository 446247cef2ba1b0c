"""Checks of paths in the settings other than the base model and the documents: in compose before any work, and in each
stage before it reads them. No heavy imports.
"""

from pathlib import Path

from fieldtune.corpus import files
from fieldtune.models import model_folder
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError

_MODEL_FILES = ("modules.json", "config.json")  # of a Sentence Transformers folder, of a plain transformer


def holds_model(folder: Path) -> bool:
    """Tell if a folder holds an embedding model, as far as the names of its files show."""
    return any((folder / name).is_file() for name in _MODEL_FILES)


def check_launcher(file: str | None) -> None:
    """Raise UserError if `launcher:` names a file that is not found."""
    if file is not None and not Path(file).is_file():
        raise UserError(
            f"launcher: {file} not found: write it with `accelerate config --config_file …`, or set "
            "`launcher: null` in params.yaml"
        )


def pinned_model(place: str) -> Path | None:
    """The folder of the model that `pin:` names; None if it names an empty file.

    Raises UserError if it is neither.
    """
    pin = Path(place)
    if holds_model(pin):
        model_folder.refuse_others(pin)
        return pin
    if not pin.is_file() or not files.is_blank(pin):
        raise UserError(f"params.yaml: pin: {pin} is not a model folder; to pin nothing, set `pin: {paths.NONE}`")
    return None


def check_reranker(folder: str | None) -> None:
    """Raise UserError if `evaluate.reranker` names a folder without a model."""
    if folder is not None and not holds_model(Path(folder)):
        raise UserError(
            f"evaluate.reranker: {folder} is not a model folder; it must hold a cross-encoder: set another folder, "
            "or null, in params.yaml"
        )
