"""dvc.yaml against the code: what a stage reads is what DVC knows it reads."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
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
IMPORTED = {"curve": {"train"}}  # stages whose code is another's too


def declared(stage: str) -> dict[str, Any]:
    file = "data/sample/dvc.yaml" if stage == "sample" else "dvc.yaml"
    found: dict[str, Any] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["stages"][stage]
    return found


def imported(module: Path) -> Iterator[Path]:
    """The modules of this repository that a module imports, packages' `__init__` included."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{module}: a relative import, which this test does not follow")
        for name in names:
            if name.split(".")[0] == "stages":
                path = ROOT.joinpath(*name.split("."))
                yield from (p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file())


def modules_of(stage: str) -> set[Path]:
    todo = [ROOT / "stages" / "__init__.py", *(ROOT / "stages" / stage).rglob("*.py")]
    seen = set(todo)
    while todo:
        new = set(imported(todo.pop())) - seen
        seen |= new
        todo += new
    return seen


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_depends_on_every_module_it_imports_and_on_no_other(stage: str) -> None:
    packages = {f"stages/{name}" for name in {stage} | IMPORTED.get(stage, set())}
    listed = {dep for dep in declared(stage)["deps"] if dep.startswith("stages/")}
    needed = {path.relative_to(ROOT).as_posix() for path in modules_of(stage)}
    # An empty __init__ changes nothing.
    needed = {path for path in needed if not (path.endswith("__init__.py") and not (ROOT / path).read_text())}
    needed = {path for path in needed if "/".join(path.split("/")[:2]) not in packages} | packages
    assert listed == needed


@pytest.mark.parametrize("stage", [stage for stage in ALL if stage != "compose"])
def test_no_stage_imports_another(stage: str) -> None:
    others = {path.relative_to(ROOT).parts[1] for path in modules_of(stage)} & set(ALL)
    assert others == {stage} | IMPORTED.get(stage, set())


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_runs_its_package_and_reads_its_own_config(stage: str) -> None:
    found = declared(stage)
    assert found["cmd"] == f"python -m stages.{stage}"
    if stage == "compose":
        assert "params" not in found
    else:
        assert found["params"] == [{f"data/config/{stage}.yaml": None}]


def test_stages_run_in_the_order_of_the_file_with_baseline_before_train() -> None:
    assert tuple(yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]) == STAGES


def test_compose_keeps_a_config_of_every_stage_in_git() -> None:
    outs = {name: options for out in declared("compose")["outs"] for name, options in out.items()}
    assert outs == {
        f"data/config/{stage}.yaml": {"cache": False, "persist": True} for stage in ALL if stage != "compose"
    }


def test_every_path_of_the_code_is_inside_an_output_or_in_git() -> None:
    from stages import paths

    outs = [out if isinstance(out, str) else next(iter(out)) for stage in ALL for out in declared(stage)["outs"]]
    outs += [next(iter(out)) for out in declared("evaluate")["metrics"]]
    in_git = {"data", "conf", "params.yaml", "data/config", "data/sample/recorded.jsonl"}
    for name, path in vars(paths).items():
        if isinstance(path, Path) and path.as_posix() not in in_git:
            inside = any(path.as_posix() == out or path.as_posix().startswith(f"{out}/") for out in outs)
            assert inside, f"paths.{name}: {path} is no stage's output"
