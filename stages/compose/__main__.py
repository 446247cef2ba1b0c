"""Stage `compose`: params.yaml and conf/ → data/config/<stage>.yaml. Run as `python -m stages.compose`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
from pathlib import Path

from fieldtune.corpus import files
from fieldtune.models import base_models, checks
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.stage import run_stage
from stages.compose.compose import STAGES, Config, compose, overruled, stage_yaml
from stages.train.config import refuse_too_large

_NONE = f"for none: {paths.NONE}"
_PLACES = {  # `pin` besides: `checks.pinned`
    "documents": "name a folder, or run `fieldtune use <folder>`",
    "queries": _NONE,
    "pairs": _NONE,
    "model_path": f"name the folder of a model; {_NONE}",
}


def work() -> str:
    config = compose(paths.PARAMS, paths.CONF)
    _look_for_what_is_named(config)
    for stage in STAGES:
        files.write_text(paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))
    said = f"{len(STAGES)} stages configured; base model {config.model.name}"
    if stronger := overruled(paths.PARAMS, paths.CONF):
        said += f"; the preset is stronger than {paths.PARAMS}: {', '.join(stronger)}"
    return said


def _look_for_what_is_named(config: Config) -> None:
    """Raises UserError where what a later stage would take is not there, or does not fit the base model."""
    for name, instead in _PLACES.items():
        place = Path(getattr(config, name))
        if not place.exists() and not _comes_by_dvc(place):
            raise UserError(f"{paths.PARAMS}: {name}: {place} is not there; {instead}")
    base_models.locate(config.model)
    for stage in (config.embed, config.train, config.evaluate):
        checks.check_launcher(stage.launcher)
    checks.check_compared(config.evaluate.compare)
    checks.check_reranker(config.evaluate.reranker)
    if checks.pinned_model(config.pin) is None and config.model.dimension is not None:  # what is pinned is not trained
        refuse_too_large(config.train.matryoshka, config.model.dimension)


def _comes_by_dvc(place: Path) -> bool:
    """Whether DVC may yet bring or make a place: a `.dvc` file or a stage, as the sample's, stands above it."""
    above = (place, *place.parents[:-1])  # the root's own stages make no place
    return any(Path(f"{folder}.dvc").is_file() or (folder / "dvc.yaml").is_file() for folder in above)


if __name__ == "__main__":
    run_stage("compose", work)
