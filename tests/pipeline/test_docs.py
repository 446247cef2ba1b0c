"""The commands of README.md and docs/, run as they stand there in the repository of the team that they speak of.

The commands of docs/experiments.md are run in test_end_to_end.py, which has two commits to compare.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pages
from tests.pages import README
from tests.pipeline import repository
from tests.pipeline.repository import commit, dvc, edit, git, shell

pytestmark = pytest.mark.pipeline

ELSEWHERE = {"docs/experiments.md", "docs/team.md"}
RUN = ["docs/index.md", *(page for page in pages.PAGES if page not in ELSEWHERE | {"docs/index.md"})]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larkfield's repository after `dvc repro`, with `git@example.org:larkfield/search.git` as its origin."""
    folder = tmp_path_factory.mktemp("larkfield") / "search"
    folder.mkdir()
    repository.make(folder)
    own = folder / "own"
    shutil.copytree(own / "docs", folder / "handbook")
    with (own / "real.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    log = [row["query"] for row in rows[:20]]
    (folder / "searches.csv").write_text("\n".join(["query", *log, ""]), encoding="utf-8")
    answered = [json.dumps(row) for row in rows[20:]]
    (folder / "answered.jsonl").write_text("\n".join([*answered, ""]), encoding="utf-8")
    shutil.copy(own / "real.csv", folder / "faq.csv")
    shutil.rmtree(own / "docs")
    # What comes out is tested elsewhere: here it is made quickly.
    edit(folder / "params.yaml", {"epochs: 30": "epochs: 1"})
    edit(folder / "conf/config.yaml", {"onnx: true": "onnx: false", "draws: 10000": "draws: 100"})
    shell(folder, "fieldtune use handbook searches.csv --yes")
    dvc(folder, "repro")
    (folder / "models").mkdir()
    shutil.copytree(folder / "data/model", folder / "models/october")
    commit(folder, "Larkfield's handbook")
    git(folder, "tag", "first")
    git(folder.parent, "clone", "--quiet", "--bare", str(folder), "origin.git")
    git(folder, "remote", "add", "origin", "../origin.git")
    return folder


@pytest.fixture
def team(first_run: Path) -> Iterator[Path]:
    yield first_run
    git(first_run, "checkout", "--quiet", "--force", "-B", "main", "first")


def commands(page: str) -> list[str]:
    """Those to run; `dvc repro` has run, and would do all again for what `fieldtune use` changes."""
    return [line for line in pages.commands(page) if line not in pages.not_run() | {"dvc repro"}]


@pytest.mark.parametrize("page", [page for page in RUN if commands(page)])
def test_the_commands_of_a_page_run(team: Path, page: str) -> None:
    for command in commands(page):
        shell(team, command)


def test_two_commands_are_all_that_is_needed(team: Path) -> None:
    assert pages.commands(README)[:3] == pages.commands("docs/index.md")[:3]
    assert "Data and pipelines are up to date." in dvc(team, "repro")


def test_the_python_of_the_data_set(team: Path) -> None:
    (block,) = pages.blocks("python", "docs/training.md")
    printed = shell(team, f"python - <<'END'\n{block.text.replace('load_dataset(', 'print(load_dataset(', 1)})\nEND")
    assert "negative_1" in printed


def test_a_team_shares_promotes_and_retrains(team: Path) -> None:
    """The blocks of docs/team.md one after the other, each as one script."""
    places = {
        "git@example.org:larkfield/search.git": str(team.parent / "origin.git"),
        "/srv/dvc": str(team.parent / "srv"),
    }
    scripts = {}
    for block in pages.blocks("sh", "docs/team.md"):
        script = "\n".join(line for line in pages.lines(block) if line not in pages.not_run())
        for place, here in places.items():
            script = script.replace(place, here)
        if "dvc add handbook" in script:
            (team / "handbook/new.md").write_text("# New\n\n## Rename a queue\n\nGives the queue a name.\n")
        scripts[pages.lines(block)[0]] = shell(team, f"set -e\n{script}")
    colleague = next(printed for command, printed in scripts.items() if command.startswith("git clone"))
    assert "Data and pipelines are up to date." in colleague
    assert (team.parent / "colleague/data/export/manifest.json").is_file()
    ci = next(printed for command, printed in scripts.items() if "--allow-missing" in command)
    assert "Data and pipelines are up to date." in ci
    assert "Verdict" in ci
    manifests = [place / "manifest.json" for place in (team.parent / "deployed", team.parent / "colleague/data/export")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()
    retrained = next(printed for command, printed in scripts.items() if "retrain" in command)
    assert "Running stage 'train'" in retrained
    assert git(team.parent / "origin.git", "branch", "--list", "retrain").strip() == "retrain"
