"""The container's parts: the packages that it installs are enough, and the files that it copies are there."""

import re
import shlex
import shutil
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.serve.running import ROOT, running, vectors

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUP = PROJECT["dependency-groups"]["serve"]
# Runs the service where packages cannot be imported that the container lacks.
WITHOUT = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in MISSING:
            raise ModuleNotFoundError(f"the container has no {name}")
MISSING = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, Missing())
runpy.run_module("fieldtune.commands.serve", run_name="__main__", alter_sys=True)
"""


def installed(names: list[str]) -> set[str]:
    """Distributions that pip installs for these requirements, those they require included."""
    todo = [Requirement(name) for name in names]
    distributions: set[str] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name not in distributions:
            distributions.add(name)
            further = map(Requirement, requires(name) or [])
            todo += [each for each in further if each.marker is None or each.marker.evaluate({"extra": ""})]
    return distributions


def test_its_versions_are_the_projects() -> None:
    assert set(GROUP) <= set(PROJECT["project"]["dependencies"])


def test_its_packages_are_enough(export: Path, tmp_path: Path) -> None:
    weights = shutil.ignore_patterns("*.safetensors")  # as .dockerignore has it
    export = shutil.copytree(export, tmp_path / "export", ignore=weights)
    there = installed(GROUP)
    assert not {"torch", "transformers", "dvc"} & there
    modules = packages_distributions()
    there.add("fieldtune")
    missing = {name for name, parts in modules.items() if not {canonicalize_name(each) for each in parts} & there}
    assert {"torch", "sentence_transformers", "omegaconf", "rich"} <= missing
    with running(export, python=["-c", WITHOUT, ",".join(sorted(missing))]) as service:
        assert vectors(service.post("/v1/embeddings", {"input": "word1"})).shape == (1, 32)
        assert len(service.post("/v1/search", {"query": "word1"}).json()["data"]) == 10


def test_what_it_copies_and_runs_is_there() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [shlex.split(line)[1] for line in lines if line.startswith("COPY ")]
    assert copied == ["pyproject.toml", "fieldtune", "data/export"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [f"!{name}" for name in copied] == [line for line in ignored if line.startswith("!")]
    entry = re.search(r"^ENTRYPOINT (.*)$", "\n".join(lines), flags=re.MULTILINE)
    assert entry
    assert yaml.safe_load(entry[1])[:3] == ["python", "-m", "fieldtune.commands.serve"]
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["services"]["search"]["build"] == "."
