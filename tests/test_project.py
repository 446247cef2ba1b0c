"""What a project tells those who carry it on: its commands, files and addresses are those that there are."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.imports import ROOT, modules
from tests.scripts.test_constraints import PYPROJECT

PROJECT = PYPROJECT["project"]
HOME = PROJECT["urls"]["Homepage"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE)
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
PAGES = [ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".github/pull_request_template.md")]
WRITTEN = [*PAGES, *WORKFLOWS, *FORMS, *(ROOT / name for name in ("Makefile", "CITATION.cff", "pyproject.toml"))]
NOT_THERE = {".venv", ".fieldtune", "site", "style.yaml"}  # made by a command, and not in git
# Written by a run
MADE = ("dataset", "evaluation", "export", "passages", "queries", "real", "sample/docs", "tuned_vectors", "vectors")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def run(*command: str, folder: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_makefile_has_the_targets_that_it_lists() -> None:
    assert {"setup", "lint", "types", "test", "test-all", "docs", "sample", "picture"} <= set(TARGETS)
    listed = run("make").stdout.splitlines()
    assert [line.split()[0] for line in listed] == TARGETS
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert sorted(phony.split()) == sorted(TARGETS)


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in ("setup", "docs")])
def test_what_a_target_runs_is_installed(target: str) -> None:
    done = run("make", "--dry-run", target)
    assert done.returncode == 0, done.stdout
    bin = Path(sys.executable).parent
    for line in done.stdout.splitlines():
        program, *arguments = line.split()
        if arguments[:1] == ["-m"] and "." in arguments[1]:
            assert (ROOT / f"{arguments[1].replace('.', '/')}.py").is_file()
        elif target != "help":
            assert shutil.which(program, path=str(bin)), line


@pytest.mark.parametrize("file", WRITTEN, ids=lambda path: path.name)
def test_each_make_command_is_a_target(file: Path) -> None:
    commands = re.findall(r"(?:`|run: |^)make ((?:[a-z-]+ ?)+)", read(file), flags=re.MULTILINE)
    assert {target for command in commands for target in command.split()} <= set(TARGETS)


def test_ci_tests_all_that_contributors_are_asked_to() -> None:
    steps = "\n".join(read(path) for path in WORKFLOWS)
    commands = re.findall(r"run: make (.+)$", steps, flags=re.MULTILINE)
    assert {*" ".join(commands).split()} >= {"setup", "lint", "types", "test", "test-all", "docs", "sample"}
    assert "data/evaluation/report.md" in steps


def test_actionlint_finds_no_fault_in_the_workflows(tmp_path: Path) -> None:
    assert len(WORKFLOWS) >= 2
    done = run("actionlint", "-no-color", *map(str, WORKFLOWS))
    assert (done.returncode, done.stdout) == (0, "")
    faulty = tmp_path / "faulty.yml"
    faulty.write_text(read(WORKFLOWS[0]).replace("runs-on:", "runs-upon:", 1), encoding="utf-8")
    assert "runs-upon" in run("actionlint", "-no-color", str(faulty)).stdout


def test_the_hooks_mend_what_ruff_can_and_stop_what_it_cannot(tmp_path: Path) -> None:
    config = ROOT / ".pre-commit-config.yaml"
    run("git", "init", "--quiet", folder=tmp_path)
    for path in (config, ROOT / "pyproject.toml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "module.py").write_text("import os\nx = {  'a':1}\n", encoding="utf-8")
    (tmp_path / "unclear.py").write_text("print(unknown)\n", encoding="utf-8")
    (tmp_path / ".github/workflows").mkdir(parents=True)
    shutil.copy(WORKFLOWS[0], tmp_path / ".github/workflows")
    run("git", "add", "--all", folder=tmp_path)
    done = run("pre-commit", "run", "--all-files", folder=tmp_path, PRE_COMMIT_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert (tmp_path / "module.py").read_text() == 'x = {"a": 1}\n'
    assert "F821" in done.stdout
    assert re.search(r"^actionlint\.+Passed$", done.stdout, flags=re.MULTILINE)
    assert "Skipped" not in done.stdout


def test_a_wheel_has_every_module_and_what_they_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    listed = run("git", "ls-files", "fieldtune", "stages", "pyproject.toml", "README.md", "LICENSE").stdout.splitlines()
    for name in listed:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    program = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    done = run(sys.executable, "-c", program, folder=source)
    assert done.returncode == 0, done.stdout
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [archive.read(name).decode() for name in names if name.endswith("METADATA")]
    assert {name for name in listed if name.startswith(("fieldtune/", "stages/"))} <= names
    assert {"fieldtune/py.typed", "stages/py.typed", "stages/evaluate/report.html.j2"} <= names
    assert f"Project-URL: Homepage, {HOME}" in metadata
    assert "Classifier: Typing :: Typed" in metadata


def test_every_address_of_the_project_is_one() -> None:
    assert all(url.startswith(HOME) for url in PROJECT["urls"].values())
    owner, _, _ = HOME.rpartition("/")
    for path in [*WRITTEN, ROOT / "README.md"]:
        for url in re.findall(rf"{re.escape(owner)}/[^\s)>\"]*", read(path)):
            assert url.startswith(HOME), f"{path.name}: {url}"


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load(read(ROOT / "CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format asks for
    assert citation["type"] == "software"
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["repository-code"] == HOME
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert citation["keywords"] == PROJECT["keywords"]


def test_the_changelog_is_laid_out_as_keep_a_changelog_says() -> None:
    text = read(ROOT / "CHANGELOG.md")
    versions = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    kinds = set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def places(text: str) -> Iterator[str]:
    """What stands in backticks or as a link and looks like a path of the repository."""
    for name in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"\]\((?!http|#)([^)#]+)", text)]:
        if re.fullmatch(r"\.?[\w<>*./-]+", name) and re.search(r"/|\.(md|toml|yaml|yml|txt|cff|py|lock)$", name):
            yield name.rstrip("/")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for name in places(read(page)):
        first = Path(name).parts[0]
        if first not in NOT_THERE and not name.startswith(tuple(f"data/{folder}" for folder in MADE)):
            pattern = re.sub(r"<\w+>", "*", name)
            assert any(ROOT.glob(pattern if "/" in name else f"**/{pattern}")), f"{page.name}: {name}"


def section(page: str, heading: str) -> str:
    """What stands under a heading, until the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    _, _, rest = read(ROOT / page).partition(f"\n{heading}\n")
    assert rest, f"{page} has no {heading}"
    return re.split(rf"^#{{1,{level}}} ", rest, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("heading", "existing"),
    [
        ("### A base model", "bge_small"),
        ("### A generator", "keyphrases"),
        ("### A document format", "pptx"),
        ("### A metric", "mrr@10"),
        ("### A stage", "baseline"),
    ],
)
def test_the_files_to_touch_know_what_was_added_before(heading: str, existing: str) -> None:
    """Whoever adds one follows the traces of an existing one: each file of the list has them, in name or in text."""
    names = [name for name in places(section("CONTRIBUTING.md", heading)) if not name.startswith("data/")]
    assert len(names) >= 2
    for name in names:
        found = [path for path in ROOT.glob(re.sub(r"<\w+>", existing, name)) if path.exists()]
        assert found, f"{heading}: {name}"
        if "<" not in name:
            assert any(path.is_file() and existing in read(path) for path in found), f"{heading}: {name}"


def test_a_stage_is_listed_wherever_all_stages_are() -> None:
    """The list in CONTRIBUTING.md is whole: code and settings that name nearly all stages stand there."""
    stages = {path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")}
    named = set(places(section("CONTRIBUTING.md", "### A stage")))
    tracked = run("git", "ls-files", "*.py", "*.yaml", "docs/*.svg").stdout.splitlines()
    for name in tracked:
        if len({*re.findall(r"\w+", read(ROOT / name))} & stages) > len(stages) - 2:
            assert name in named, f"{name} lists the stages: CONTRIBUTING.md should say so"


@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.name)
def test_a_form_has_what_its_host_asks_for(form: Path) -> None:
    fields: dict[str, Any] = yaml.safe_load(read(form))
    assert {"name", "description", "body"} <= set(fields)
    ids = [field["id"] for field in fields["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for field in fields["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert "value" in field["attributes"] if field["type"] == "markdown" else field["attributes"]["label"]


NETWORK = {"aiohttp", "anthropic", "ftplib", "http.client", "httpx", "openai", "requests", "smtplib", "socket"}
# What starts a program that reaches the network, or asks a hub: words of its call
CALLS = re.compile(
    r'HfApi|snapshot_download|hf_hub_download|load_dataset\(|"pip", "download"|run_dvc\("push"|urllib\.request'
)


def reaches_the_network(module: Path) -> bool:
    text = read(module)
    imported = set(re.findall(r"^\s*(?:import|from) ([\w.]+)", text, flags=re.MULTILINE))
    return bool({name for name in imported if name in NETWORK or name.split(".")[0] in NETWORK} or CALLS.search(text))


def test_security_md_names_each_module_that_reaches_the_network() -> None:
    reaching = {str(path.relative_to(ROOT)) for path in modules("fieldtune", "stages") if reaches_the_network(path)}
    rows = [line for line in section("SECURITY.md", "## What leaves the machine").splitlines() if line.startswith("|")]
    named = {name for row in rows for name in places(row) if name.endswith(".py")}
    assert {"stages/generate/api.py", "stages/sample/wheels.py", "fieldtune/commands/push.py"} <= reaching
    assert named == reaching


def test_dvc_reports_to_nobody() -> None:
    config = read(ROOT / ".dvc/config")
    assert re.search(r"^\s*analytics = false$", config, flags=re.MULTILINE)
    assert re.search(r"^\s*check_update = false$", config, flags=re.MULTILINE)


NOTEBOOK = json.loads((ROOT / "examples/tour.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_tours_outputs_are_short_and_of_the_committed_run(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ["".join(line for output in cell["outputs"] for line in output.get("text", [])) for cell in CODE]
    assert max(len(text.splitlines()) for text in printed) <= 12
    lock = yaml.safe_load(read(ROOT / "dvc.lock"))["stages"]["export"]["outs"]
    if "export" in NOTEBOOK["metadata"]:
        assert NOTEBOOK["metadata"]["export"] in [out["md5"] for out in lock], "an old run's outputs: make picture"
    else:
        assert printed[-1] == ""  # of no run
    (row,) = [row for row, cell in enumerate(CODE) if 'print(f"verdict' in "".join(cell["source"])]
    exec("".join(CODE[row]["source"]), {})
    assert printed[row] == capsys.readouterr().out
