"""constraints.txt: the versions of pyproject.toml, of all packages, and nothing of the machine that wrote it."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.constraints import FILE, HEADER, constraints
from tests.imports import ROOT

TEXT = (ROOT / FILE).read_text(encoding="utf-8")
LINES = [line for line in TEXT.splitlines() if not line.startswith("#")]
CONSTRAINTS = dict(line.split("==") for line in LINES)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pinned() -> dict[str, str]:
    """The packages that pyproject.toml names, with their versions."""
    project = PYPROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    groups = [line for lines in PYPROJECT["dependency-groups"].values() for line in lines]
    lines = [line for line in [*project["dependencies"], *extras, *groups] if not line.startswith(project["name"])]
    requirements = [Requirement(line) for line in lines]
    assert all(str(each.specifier).startswith("==") for each in requirements)
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def test_each_pin_of_pyproject_is_there() -> None:
    pins = pinned()
    assert {name: CONSTRAINTS.get(name) for name in pins} == pins, "constraints.txt is old: make constraints"


def test_a_line_is_a_name_and_a_version_and_nothing_else() -> None:
    assert len(LINES) > 200
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    assert sorted(CONSTRAINTS) == list(CONSTRAINTS)
    assert len(CONSTRAINTS) == len(LINES)
    # What is not an edge of the graph, but its root.
    assert canonicalize_name(PYPROJECT["project"]["name"]) not in CONSTRAINTS


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_what_is_installed_is_what_is_constrained(name: str) -> None:
    try:
        installed = version(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is of an extra or a platform that is not installed here")
    assert installed.partition("+")[0] == CONSTRAINTS[name]


def test_the_file_is_made_of_what_pip_resolves() -> None:
    def entry(name: str, version: str, **download: object) -> dict[str, object]:
        return {"metadata": {"name": name, "version": version}, "download_info": {"url": "file:///here", **download}}

    report = {
        "install": [
            entry("Zebra_Stripes", "2.0"),
            entry("torch", "2.13.0+cpu"),
            entry("fieldtune", "0.1.0", dir_info={"editable": True}),
            entry("bare", "0.1.0", dir_info={}),
        ]
    }
    text = constraints(report)
    assert text.splitlines()[0].startswith(HEADER[:30])
    assert text.splitlines()[2:] == ["torch==2.13.0", "zebra-stripes==2.0"]
