"""The base model's description, and its files on this machine. No heavy imports: compose needs it too."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from fieldtune.corpus import files
from fieldtune.models import checks, hub, model_folder
from fieldtune.runtime.console import note
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import between, commit

WEIGHTS = "weights.txt"  # in a folder of vectors: the digest of the weights of the model that made them


@dataclass
class ModelConfig:
    """A base model as `conf/model/<choice>.yaml` describes it."""

    name: str = MISSING  # its name on the model hub, or for people if it is not on the hub
    package: str | None = MISSING  # an installed Python package that carries the files, and the folder inside
    path: str | None = MISSING  # a local folder, tried first (conf/model/path.yaml sets it from `model_path:`)
    # Of the next three, null means what the model's own folder says
    query_prompt: str | None = MISSING  # put before each query, verbatim
    passage_prompt: str | None = MISSING  # put before each passage, verbatim
    max_tokens: int | None = between(8, 32768)  # longer inputs are cut here; counts prompt and special tokens
    dimension: int | None = MISSING  # of its vectors; null: whatever the model says
    license: str = MISSING  # of the weights, for the model card
    language: str | None = MISSING  # ISO 639-1, of a model for one language only; null: several, or unknown
    # The commit on the model hub that is downloaded; `fieldtune use --model` writes it. null: the newest one that
    # is in the local hub cache
    revision: str | None = commit()

    @property
    def on_hub(self) -> bool:
        """Tell if the files come from the model hub."""
        return self.path is None and self.package is None


def find(model: ModelConfig) -> Path | None:
    """The folder of the model's files on this machine; None if there is none."""
    if model.path is not None:
        folder: Path | None = Path(model.path)
    elif model.package is not None:
        folder = _in_package(model.package)
    else:
        folder = hub.cached(model.name, model.revision)
    return folder if folder is not None and checks.holds_model(folder) else None


def locate(model: ModelConfig, *, offline: bool | None = None, choice: str | None = None) -> Path:
    """The folder of the model's files on this machine, downloaded from the hub if its config names a revision.

    `offline` forbids the download; None: as `data/config/hub.yaml` says. `choice`: the name of the model's file in
    conf/model/, for the message. Raises UserError, with the three ways to get the model, if it is not found.
    """
    forbidden = None
    folder = find(model)
    if folder is None and model.on_hub and model.revision is not None:
        forbidden = hub.forbidden() if offline is None else hub.forbidden_by(offline)
        if forbidden is None:
            repository = hub.resolve(model.name, model.revision)
            note(f"downloading {hub.summary(repository)}")
            folder = hub.download(repository)
    if folder is None:
        looked, ways = _ways_to_get(model, choice)
        steps = "".join(f"\n  {number}. {way}" for number, way in enumerate(ways, start=1))
        why = f", and is not downloaded, since {forbidden}" if forbidden else ""
        raise UserError(f"the base model, {model.name}, is not in {looked}{why}. Three ways to get it:{steps}")
    model_folder.refuse_others(folder)
    return folder


def weights(model: ModelConfig) -> str:
    """A digest of the model's weights on this machine."""
    folder = locate(model)
    weight_files = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("*.bin"))
    return files.digest(*weight_files)


def refuse_others_than_embedded(model: ModelConfig, vectors: Path) -> None:
    """Raise UserError if the base model's `vectors` come from other weights, as after the download of a new revision.

    Of the model, DVC sees only its config and a folder that `model_path:` names.
    """
    if weights(model) != (vectors / WEIGHTS).read_text(encoding="utf-8"):
        raise UserError(
            f"the weights of the base model, {model.name}, have changed since it encoded {vectors}: run `dvc "
            "repro --single-item --force embed`, then `dvc repro`"
        )


def _in_package(place: str) -> Path | None:
    """The folder inside an installed Python package: `<package>/<folder>`."""
    package, _, folder = place.partition("/")
    spec = importlib.util.find_spec(package)
    places = [Path(parent) / folder for parent in (spec.submodule_search_locations or [])] if spec else []
    return next(filter(checks.holds_model, places), None)


def _ways_to_get(model: ModelConfig, choice: str | None) -> tuple[str, tuple[str, str, str]]:
    """The place where the model was looked for, and three ways to get it."""
    installed = "use the model that comes with this project: `model: minilm` in params.yaml"
    own = "set `path: <folder>` in its file in conf/model/"  # where its prompts are, too
    if model.path is not None:
        return model.path, (
            "name the folder of a Sentence Transformers model: `model_path:` in params.yaml for `model: path`, "
            "otherwise `path:` in the model's file in conf/model/",
            "download one, then name its folder there: hf download <its name> --local-dir <folder>",
            installed,
        )
    if model.package is not None:
        return f"the Python package {model.package.partition('/')[0]}", (
            "install the project's requirements: pip install -e .",
            f"download it: hf download {model.name} --local-dir <folder>, then {own}",
            f"copy its folder here from another machine, then {own}",
        )
    revision = f" at revision {model.revision}" if model.revision else ""
    return f"the local model hub cache{revision}", (
        f"download it: fieldtune use --model {choice or model.name}",
        f"copy its folder here from another machine, then {own}",
        installed,
    )
