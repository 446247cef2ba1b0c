"""Stage `compose`: params.yaml and conf/ → data/config/<stage>.yaml. Run as `python -m stages.compose`."""

import fieldtune.runtime.environment  # noqa: F401

# isort: split
import subprocess
from pathlib import Path

from omegaconf import OmegaConf

from fieldtune.corpus import files, overlaps
from fieldtune.models import base_models, checks
from fieldtune.models.base_models import ModelConfig
from fieldtune.models.hub import HubConfig
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.stage import run_stage
from stages.compose.compose import compose, model_choices, stage_yaml
from stages.compose.layers import overruled, read_layers
from stages.compose.messages import NONE
from stages.compose.schema import PLACES, STAGES, Config
from stages.rivals.config import read_rivals
from stages.train.config import refuse_too_large

_REMEDIES = {  # for `pin:` see `checks.pinned_model`
    "documents": "set it to a folder, or run `fieldtune use <folder>`",
    "queries": NONE,
    "pairs": NONE,
    "model_path": f"set it to the folder of a model; {NONE}",
    "style": f"create it with `fieldtune style`; {NONE}",
    "rivals": NONE,
}


def work() -> str:
    config = compose(paths.PARAMS, paths.CONF)
    try:
        _check_what_is_named(config)
    except UserError as error:
        if not _is_copy(Path.cwd()):
            raise
        raise UserError(
            f"{error}\n  This experiment runs in a copy of the repository, which has only what git and DVC know: "
            "commit what is missing, or add it with `fieldtune use`"
        ) from error
    config.rivals_stage.bases = _bases(config)
    for stage in STAGES:
        files.write_text(paths.CONFIG / f"{stage}.yaml", stage_yaml(config, stage))
    hub = OmegaConf.structured(HubConfig(config.offline))
    files.write_text(paths.CONFIG / "hub.yaml", OmegaConf.to_yaml(hub))
    summary = f"{len(STAGES)} stages configured; base model {config.model.name}"
    if stronger := overruled(paths.PARAMS, paths.CONF):
        summary += f"; the preset overrides {paths.PARAMS}: {', '.join(stronger)}"
    return summary


def _check_what_is_named(config: Config) -> None:
    """Raises UserError if a file or folder that a later stage reads is not found, or does not fit the others."""
    places = {name: Path(getattr(config, name)) for name in PLACES}
    for name, remedy in _REMEDIES.items():
        place = places[name]
        if not place.exists() and not _comes_by_dvc(place):
            raise UserError(f"{paths.PARAMS}: {name}: {place} not found; {_spelling(place) or remedy}")
    overlaps.refuse_outputs(places)
    models = {"evaluate.reranker": config.evaluate.reranker, "model.path": config.model.path}
    named = {name: place for name, place in places.items() if name != "documents"}
    overlaps.refuse_among_documents(
        places["documents"], named | {name: Path(place) for name, place in models.items() if place}
    )
    choice = read_layers(paths.PARAMS, paths.CONF, {}).choices["model"].stem
    base_models.locate(config.model, offline=config.offline, choice=choice)
    for stage in (config.embed, config.train, config.evaluate):
        checks.check_launcher(stage.launcher)
    checks.check_reranker(config.evaluate.reranker)
    if checks.pinned_model(config.pin) is None and config.model.dimension is not None:  # a pinned model is not trained
        refuse_too_large(config.train.matryoshka, config.model.dimension)


def _spelling(place: Path) -> str:
    """Advice on a place that is there, or was, and is only spelled or kept wrongly; "" if it is not."""
    if _is_in_git(place):
        return f"it is a file of this repository: git checkout -- {place}"
    if place.parts[0] == "~":
        return "`~` does not stand for your home folder here: write the path in full"
    with_slashes = Path(str(place).replace("\\", "/"))
    return f"write it with slashes: {with_slashes}" if with_slashes.exists() else ""


def _bases(config: Config) -> dict[str, ModelConfig]:
    """All base models of conf/model/ with files of their own, for rivals to name; none if there are no rivals.

    Raises UserError if the file of the rivals is wrong, as far as it is here: it may come by DVC.
    """
    place = Path(config.rivals)
    if place == paths.NONE:
        return {}
    if place.exists():
        read_rivals(place)
    return model_choices(paths.CONF)


def _is_copy(folder: Path) -> bool:
    """True in the copy of a temporary or queued experiment."""
    return any(parent.parts[-3:] == (".dvc", "tmp", "exps") for parent in folder.parents)


def _is_in_git(place: Path) -> bool:
    """True for a file or folder that git has; without git, for the one that is surely committed."""
    try:
        command = ["git", "--literal-pathspecs", "ls-files", "--", str(place)]
        listed = subprocess.run(command, capture_output=True, check=False).stdout
    except OSError:
        return place == paths.NONE
    return bool(listed) or place == paths.NONE


def _comes_by_dvc(place: Path) -> bool:
    """Tell if DVC may still get or make a place: a `.dvc` file or a stage, such as the sample's, is above it."""
    above = (place, *place.parents[:-1])  # the root's own stages make no place
    return any(Path(f"{folder}.dvc").is_file() or (folder / "dvc.yaml").is_file() for folder in above)


if __name__ == "__main__":
    run_stage("compose", work)
