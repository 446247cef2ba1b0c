"""The directions in which packages import one another."""

import pytest

from tests.imports import ROOT, imported, modules, package, reached

# What each package of fieldtune/ may import; stages stand above the first five, commands and serve above stages.
BELOW = {
    "runtime": set[str](),
    "buying": {"runtime"},
    "corpus": {"runtime"},
    "models": {"runtime", "corpus"},
    "retrieval": {"runtime", "corpus"},
    "sources": {"runtime", "corpus", "models", "retrieval"},
}
ABOVE_STAGES = ("commands", "judging", "serve")


def test_each_package_of_the_library_has_its_place() -> None:
    packages = {path.parent.name for path in (ROOT / "fieldtune").glob("*/__init__.py")}
    assert packages == {*BELOW, *ABOVE_STAGES}


@pytest.mark.parametrize("name", BELOW)
def test_a_package_imports_only_what_is_below_it(name: str) -> None:
    for module in modules(f"fieldtune/{name}"):
        above = {package(path) for path in imported(module)} - {f"fieldtune/{p}" for p in BELOW[name] | {name}}
        assert above <= {"fieldtune"}, module


def test_stages_import_neither_commands_nor_the_service() -> None:
    for module in modules("stages"):
        assert not {package(path) for path in imported(module)} & {f"fieldtune/{p}" for p in ABOVE_STAGES}, module


def test_no_module_lies_loose_in_stages() -> None:
    assert [path.name for path in (ROOT / "stages").glob("*.py")] == ["__init__.py"]
    assert [path.name for path in (ROOT / "fieldtune").glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("top", ["fieldtune", "stages", "benchmarks"])
def test_no_modules_import_one_another_in_a_circle(top: str) -> None:
    for module in modules(top):
        below = {path for path in imported(module) if path.name != "__init__.py"}
        assert module not in reached(below), f"{module} is imported by what it imports"


def test_each_program_sets_its_environment_before_libraries_load() -> None:
    programs = [*(ROOT / "stages").glob("*/__main__.py"), ROOT / "fieldtune/commands/cli.py"]
    for program in [*programs, ROOT / "fieldtune/commands/serve.py"]:
        lines = program.read_text(encoding="utf-8").splitlines()
        first = next(line for line in lines if line.startswith(("import ", "from ")))
        assert first.startswith("import fieldtune.runtime.environment"), program
