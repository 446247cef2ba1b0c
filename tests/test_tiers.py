"""Units, pipeline, integrations: what is dear or foreign carries its marker, and CI leaves out none of the three."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import TIERS
from tests.imports import ROOT, modules, reached

PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
EXTRA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]["test"]
# Of the test's packages, those that serve units: tools, pictures, what speaks HTTP to our service, the reference of a
# metric; and this project's own extras.
TOOLS = {"fieldtune", "httpx", "mypy", "pillow", "pytest", "pytest-xdist", "pytrec-eval-terrier", "ruff"}
TOOLS |= {"types-psutil", "types-pyyaml"}
TESTS = [path for path in modules("tests") if path.name.startswith("test_")]


def tiers(file: Path) -> set[str]:
    """The markers of a whole file."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            return set(re.findall(r"pytest\.mark\.(\w+)", ast.unparse(node.value))) & set(TIERS)
    return set()


@cache
def imports(module: Path) -> frozenset[str]:
    """The first names of all that a module imports, also inside functions."""
    names: list[str] = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return frozenset(name.partition(".")[0] for name in names)


def modules_of_tests(file: Path) -> list[Path]:
    """The modules of tests/ that a test's file imports, directly or not, and itself."""
    return [module for module in reached([file]) if module.is_relative_to(ROOT / "tests")]


def test_what_imports_a_client_or_a_database_is_an_integration() -> None:
    foreign = {canonicalize_name(Requirement(line).name) for line in EXTRA} - TOOLS
    distributions = packages_distributions().items()
    known = {name for name, sources in distributions if {canonicalize_name(source) for source in sources} & foreign}
    assert {"openai", "psycopg", "faiss", "haystack"} <= known
    # What the product itself imports of them is an extra of its own.
    files = {path for path in TESTS if any(imports(module) & known for module in modules_of_tests(path))}
    assert {path.name for path in files} >= {"test_clients.py", "test_stores.py"}
    assert [str(path.relative_to(ROOT)) for path in files if "integrations" not in tiers(path)] == []


def test_a_file_is_in_one_tier() -> None:
    assert {path.name for path in TESTS if "pipeline" in tiers(path)} >= {"test_end_to_end.py", "test_with_dvc.py"}
    assert {path.name for path in TESTS if "integrations" in tiers(path)} >= {"test_report_browser.py"}
    assert [path for path in TESTS if len(tiers(path)) > 1] == []


@pytest.mark.parametrize("command", [["dvc", "repro"], [sys.executable, "-m", "dvc", "add"], ["/usr/bin/chromium"]])
def test_a_unit_that_starts_dvc_or_a_browser_fails(command: list[str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="mark its file as `pipeline` or `integrations`"):
        subprocess.run(command, check=True)


def test_units_are_what_runs_unless_another_tier_is_named() -> None:
    assert [marker.partition(":")[0] for marker in PYTEST["markers"]] == [*TIERS, "slow"]
    assert "-m 'not slow and not pipeline and not integrations'" in PYTEST["addopts"]
