"""Which base model, and where its files lie on this machine. No heavy imports: compose asks too."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from stages.errors import UserError
from stages.settings import between


@dataclass
class ModelConfig:
    """A base model as `conf/model/<choice>.yaml` describes it."""

    name: str = MISSING  # its name on the model hub, or for people where it has none there
    package: str | None = MISSING  # an installed Python package that carries the files, and the folder inside
    path: str | None = MISSING  # a local folder (conf/model/path.yaml sets it from `model_path:`)
    query_prompt: str = MISSING  # put before each query, to the letter
    passage_prompt: str = MISSING  # put before each passage
    max_tokens: int = between(8, 32768)  # longer inputs are cut here; counts prompt and special tokens
    dimension: int | None = MISSING  # of its vectors; null: whatever the model says
    license: str = MISSING  # of the weights, for the model card


def locate(model: ModelConfig) -> Path:
    """The folder of the model's files on this machine.

    Raises UserError, with the three ways to get the model, where it is not there.
    """
    for folder in _candidates(model):
        if (folder / "modules.json").is_file() or (folder / "config.json").is_file():
            return folder
    looked = model.path or model.package or "the local model hub cache"
    raise UserError(
        f"the base model {model.name} is not on this machine (looked in: {looked}). Three ways to get it:\n"
        f"  1. download it once: hf download {model.name}\n"
        "  2. copy its folder here and set in params.yaml: model: path, model_path: <folder>\n"
        "  3. use the model that is installed already: model: minilm"
    )


def _candidates(model: ModelConfig) -> list[Path]:
    if model.path is not None:
        return [Path(model.path)]
    if model.package is not None:
        package, _, folder = model.package.partition("/")
        spec = importlib.util.find_spec(package)
        return [Path(place) / folder for place in (spec.submodule_search_locations or [])] if spec else []
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(model.name, "config.json")
    return [Path(cached).parent] if isinstance(cached, str) else []
