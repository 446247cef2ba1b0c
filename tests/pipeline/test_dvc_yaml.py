"""dvc.yaml against the code: what a stage reads is what DVC knows it reads."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldtune.runtime import paths
from tests.imports import ROOT, modules, package, reached

STAGES = (
    "compose",
    "ingest",
    "real",
    "generate",
    "embed",
    "dataset",
    "baseline",
    "train",
    "curve",
    "evaluate",
    "export",
)
ALL = ("sample", *STAGES)
IMPORTED = {"curve": {"stages/train"}}  # stages whose code is another's too


def declared(stage: str) -> dict[str, Any]:
    file = "data/sample/dvc.yaml" if stage == "sample" else "dvc.yaml"
    stages: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"]
    return stages[stage]


def outputs(stage: str) -> list[str]:
    entry = declared(stage)
    return [out if isinstance(out, str) else next(iter(out)) for out in [*entry["outs"], *entry.get("metrics", [])]]


def reached_by(stage: str) -> set[Path]:
    return reached(modules(f"stages/{stage}"))


@pytest.mark.parametrize("stage", [stage for stage in ALL if stage != "compose"])
def test_a_stage_depends_on_the_folders_whose_code_it_reaches_and_on_no_other(stage: str) -> None:
    listed = {dep for dep in declared(stage)["deps"] if dep.startswith(("stages/", "fieldtune/"))}
    reaches = {package(path) for path in reached_by(stage)}
    assert listed == reaches - {"fieldtune/runtime", "fieldtune", "stages"}
    assert {name for name in reaches if name.startswith("stages/")} == {f"stages/{stage}"} | IMPORTED.get(stage, set())


def test_compose_depends_on_the_settings_of_all_stages_and_what_these_reach() -> None:
    listed = {dep for dep in declared("compose")["deps"] if dep.startswith(("stages", "fieldtune"))}
    reaches = {name for path in reached_by("compose") if (name := package(path)).startswith("fieldtune/")}
    assert listed == {"stages"} | (reaches - {"fieldtune/runtime"})


def test_compose_alone_imports_other_stages_and_of_them_their_settings() -> None:
    of_others = {path for path in reached_by("compose") if path.parent.parent == ROOT / "stages"}
    of_others = {path for path in of_others if path.parent.name != "compose" and path.name != "__init__.py"}
    assert {path.name for path in of_others} == {"config.py"}
    assert {path.parent.name for path in of_others} == {*ALL} - {"compose"}


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_runs_its_package_and_reads_its_own_config(stage: str) -> None:
    entry = declared(stage)
    assert entry["cmd"] == f"python -m stages.{stage}"
    if stage == "compose":
        assert entry["params"] == [{"params.yaml": None}]
    else:
        assert f"data/config/{stage}.yaml" in entry["deps"]
        assert "params" not in entry


def test_stages_run_in_the_order_of_the_file_with_baseline_before_train() -> None:
    assert tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]) == STAGES


def test_compose_keeps_a_config_of_every_stage_in_git() -> None:
    outs = {name: options for out in declared("compose")["outs"] for name, options in out.items()}
    assert outs == {
        f"data/config/{stage}.yaml": {"cache": False, "persist": True} for stage in (*ALL, "hub") if stage != "compose"
    }


def constants(module: Path) -> Iterator[str]:
    """The names of `fieldtune.runtime.paths` that a module uses."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paths":
            yield node.attr


def within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


NOT_READ = {"DATA", "CONFIG", "NONE"}  # what these folders hold is named by others; nothing is in the last


@pytest.mark.parametrize("stage", ALL)
def test_each_place_that_a_stage_names_is_its_dependency_or_inside_its_output(stage: str) -> None:
    deps = [dep for dep in declared(stage)["deps"] if not dep.startswith("$")]
    deps += [next(iter(file)) for file in declared(stage).get("params", [])]
    names = {name for module in reached_by(stage) if module.parent.name != "runtime" for name in constants(module)}
    for name in names - NOT_READ:
        path = getattr(paths, name).as_posix()
        known = path in deps or path in [f"data/config/{s}.yaml" for s in ALL]
        assert known or any(within(path, out) for out in outputs(stage)), f"paths.{name} in the stage {stage}"


def test_every_place_of_the_code_is_a_dependency_or_an_output() -> None:
    known = {out for stage in ALL for out in outputs(stage)}
    known |= {dep for stage in ALL for dep in declared(stage)["deps"]} | {"params.yaml", "data/none.jsonl"}
    for name, path in vars(paths).items():
        if isinstance(path, Path) and name not in NOT_READ:
            assert path.as_posix() in known, f"paths.{name}: {path} is inside a folder: name it beside what reads it"
