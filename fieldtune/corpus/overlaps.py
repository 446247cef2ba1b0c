"""Places of params.yaml that may not overlap: what is tested with, or computed, is not a document."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from fieldtune.corpus import beir
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError


def refuse_among_documents(documents: Path, named: Mapping[str, Path]) -> None:
    """Raise UserError if a table or a model, by its key, lies in the folder of the documents, and would be read as one.

    A folder laid out as BEIR has its queries inside: of it the corpus alone is read.
    """
    folder = documents.resolve()
    for key, place in named.items():
        inside = place.exists() and (place.resolve().is_relative_to(folder) or _lexically(place, folder))
        if inside and place != paths.NONE and not beir.is_beir(documents):
            raise UserError(
                f"{paths.PARAMS}: {key}: {place} lies among the documents, {documents}, and would be read as one: "
                "put it elsewhere"
            )


def _lexically(place: Path, folder: Path) -> bool:
    """True for a link in the folder to a file elsewhere, as to DVC's cache."""
    return (place.parent.resolve() / place.name).is_relative_to(folder)


def refuse_outputs(named: Mapping[str, Path], pipeline: Path = Path("dvc.yaml")) -> None:
    """Raise UserError if a place, by its key, is, holds or lies in an output of the pipeline."""
    outputs = [place.resolve() for place in _outputs(pipeline)]
    for key, place in named.items():
        own = place.resolve()
        for output in outputs:
            if own.is_relative_to(output) or output.is_relative_to(own):
                written = output.relative_to(Path.cwd().resolve())
                raise UserError(
                    f"{paths.PARAMS}: {key}: {place} cannot be used: the pipeline writes {written}; name a place of "
                    "your own files"
                )


def _outputs(pipeline: Path) -> list[Path]:
    if not pipeline.is_file():
        return []
    stages = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"].values()
    listed = [out for stage in stages for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [Path(out if isinstance(out, str) else next(iter(out))) for out in listed]
