"""The stage under the real DVC: what one more document costs, experiments, and a colleague's clone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldtune.corpus import files
from tests.generate import fake_anthropic
from tests.generate.fake_anthropic import Fake
from tests.generate.workspace import KEY
from tests.pipeline import repository
from tests.pipeline.repository import commit, dvc, edit, git

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Fake]]:
    """A repository whose queries come from a server, with one run behind it."""
    folder = tmp_path_factory.mktemp("bought")
    repository.make(folder)
    edit(folder / "params.yaml", {"generator: keyphrases": "generator: claude"})
    with fake_anthropic.running() as server:
        edit(
            folder / "conf/generator/claude.yaml",
            {"base_url: https://api.anthropic.com": f"base_url: {server.url}"},
        )
        edit(folder / "conf/generator/_messages.yaml", {"poll: 30": "poll: 0.1"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANTHROPIC_API_KEY", KEY)
            dvc(folder, "repro", "generate")
        commit(folder, "bought")
        assert server.stats().requests == count_of_passages(folder)
        yield folder, server


@pytest.fixture
def server(bought: tuple[Path, Fake]) -> Fake:
    return bought[1]


@pytest.fixture
def team(bought: tuple[Path, Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the repository."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    shutil.copytree(bought[0], tmp_path / "team", symlinks=True)
    return tmp_path / "team"


def count_of_passages(folder: Path) -> int:
    return len(list(files.read_jsonl(folder / "data/passages/passages.jsonl")))


def test_one_more_document_buys_its_passages_alone_and_experiments_share_the_store(server: Fake, team: Path) -> None:
    before, bought = count_of_passages(team), server.stats().requests
    (team / "own/docs/more.md").write_text("# More\n\n## First\n\nThe first thing.\n\n## Second\n\nThe second thing.\n")
    dvc(team, "repro", "generate")
    assert count_of_passages(team) == before + 2
    assert server.stats().requests == bought + 2
    commit(team, "one more document")

    dvc(team, "exp", "run", "--temp", "-S", "generator=claude_batch", "generate")
    dvc(team, "exp", "run", "--queue", "-S", "generator=claude_batch,claude", "generate")
    dvc(team, "exp", "run", "--run-all")
    stats = server.stats()
    assert (stats.requests, stats.batches) == (bought + 2, [])

    # What an experiment buys, the workspace has.
    edit(team / "conf/generator/_messages.yaml", {"2 to 5 words": "2 to 4 words"})
    dvc(team, "exp", "run", "--temp", "generate")
    assert server.stats().requests == bought + 2 + before + 2
    dvc(team, "repro", "generate")
    assert server.stats().requests == bought + 2 + before + 2


def test_a_colleague_who_pulls_pays_nothing_and_nothing_is_pulled_unasked(server: Fake, team: Path) -> None:
    bought = server.stats().requests
    dvc(team, "remote", "add", "--default", "shared", str(team.parent / "remote"))
    dvc(team, "push")
    commit(team, "a remote")
    for pulls, name in ((True, "pulls"), (False, "does_not")):
        clone = team.parent / name
        git(team.parent, "clone", "--quiet", str(team), str(clone))
        shutil.copytree(team / "own", clone / "own", dirs_exist_ok=True)
        if pulls:
            dvc(clone, "pull", "generate")
        (clone / "own/docs/more.md").write_text("# More\n\n## First\n\nThe first thing.\n")
        dvc(clone, "repro", "generate")
        more = 1 if pulls else count_of_passages(clone)
        assert server.stats().requests == bought + more
        bought += more
