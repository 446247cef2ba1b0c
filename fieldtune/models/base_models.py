"""The base model's description, and its files on this machine. No heavy imports: compose needs it too."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from fieldtune.corpus import files
from fieldtune.models import checks, model_folder
from fieldtune.runtime.errors import UserError
from fieldtune.runtime.settings import between

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


def locate(model: ModelConfig) -> Path:
    """The folder of the model's files on this machine.

    Raises UserError, with the three ways to get the model, if it is not found.
    """
    for folder in _candidates(model):
        if checks.holds_model(folder):
            model_folder.refuse_others(folder)
            return folder
    looked, ways = _ways_to_get(model)
    steps = "".join(f"\n  {number}. {way}" for number, way in enumerate(ways, start=1))
    raise UserError(f"the base model, {model.name}, is not in {looked}. Three ways to get it:{steps}")


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


def _candidates(model: ModelConfig) -> list[Path]:
    if model.path is not None:
        return [Path(model.path)]
    if model.package is not None:
        package, _, folder = model.package.partition("/")
        spec = importlib.util.find_spec(package)
        return [Path(place) / folder for place in (spec.submodule_search_locations or [])] if spec else []
    from huggingface_hub.constants import HF_HUB_CACHE

    # The layout that `hf download` writes; the library's own look-up takes longer to import than all of compose.
    cached = Path(HF_HUB_CACHE, f"models--{model.name.replace('/', '--')}")
    newest = cached / "refs/main"
    return [cached / "snapshots" / newest.read_text().strip()] if newest.is_file() else []


def _ways_to_get(model: ModelConfig) -> tuple[str, tuple[str, str, str]]:
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
    return "the local model hub cache", (
        f"download it once: hf download {model.name}",
        f"copy its folder here from another machine, then {own}",
        installed,
    )
