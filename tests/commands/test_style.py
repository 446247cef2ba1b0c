"""`fieldtune style`: what it takes, what it shows, what it writes."""

import shutil
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from fieldtune.commands import cli
from fieldtune.corpus import files
from fieldtune.corpus.style import read_style
from fieldtune.runtime import paths
from tests.pipeline import repository

LOG = [f"{start} {thing}" for start in ("reset", "where is my", "cannot open") for thing in ("router", "lamp", "door")]
PARAMS = "documents: docs\nqueries: log.csv   # typed\npairs: data/none.jsonl\nstyle: data/none.jsonl\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_text(Path("params.yaml"), PARAMS)
    files.write_text(Path("data/none.jsonl"), "\n")
    log("log.csv", LOG)


def log(name: str, queries: list[str]) -> None:
    files.write_text(Path(name), "query,source\n" + "".join(f"{query},\n" for query in queries))


def style(*arguments: str) -> None:
    cli.main(["style", *arguments])


def test_the_log_becomes_a_file_that_params_names(capsys: pytest.CaptureFixture[str]) -> None:
    style("--yes")
    written = read_style(Path("style.yaml"))
    assert written is not None
    assert sorted(written.examples) == sorted(LOG)
    assert written.population is not None
    assert written.population.queries == 9
    assert Path("params.yaml").read_text() == PARAMS.replace("style: data/none.jsonl", "style: style.yaml")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "These queries enter style.yaml, and with it git and the prompt; they leave the test:"
    assert sorted(lines[1:10]) == sorted(f"  {query}" for query in LOG)
    assert lines[-3:] == [
        "style.yaml: 9 examples; `style: style.yaml` in params.yaml",
        "commit it: git add style.yaml params.yaml && git commit",
        "next: dvc repro",
    ]


def test_without_a_person_or_their_word_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    style()
    assert capsys.readouterr().out.endswith("No terminal to ask at: to write it, add `--yes`.\nnothing was written\n")
    assert not Path("style.yaml").exists()
    assert Path("params.yaml").read_text() == PARAMS


def test_a_style_stays_until_it_is_refreshed(capsys: pytest.CaptureFixture[str]) -> None:
    style("--yes")
    before = Path("style.yaml").read_bytes()
    log("log.csv", [*LOG, *(f"is there a {thing} for sale" for thing in LOG)])
    style("--yes")
    assert capsys.readouterr().out.endswith("to rewrite it, run `fieldtune style --refresh`\n")
    assert Path("style.yaml").read_bytes() == before
    style("--refresh", "--yes")
    assert Path("style.yaml").read_bytes() != before


def test_a_refresh_says_what_it_costs_before_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(repository.ROOT / "conf", "conf")
    Path(".dvc").mkdir()
    files.write_text(Path("docs/a.md"), "# Lamps\n\nTurn the lamp on.\n")
    settings = OmegaConf.load(repository.ROOT / "params.yaml")
    changes = {"documents": "docs", "queries": "log.csv", "generator": "claude", "style": "data/none.jsonl"}
    OmegaConf.save(OmegaConf.merge(settings, changes), "params.yaml")
    text = "Turn the lamp on and off again, and wait until its light is green."
    files.write_jsonl(paths.PASSAGES, [{"id": "a.md#1", "source": "a.md", "title": "Lamps", "text": text}])
    style("--yes")
    capsys.readouterr()
    style("--refresh")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 passages: 0 in the store, 1 to ask for")
    assert lines[1].startswith("$0.0000 spent on this prompt so far")
    assert lines[2].startswith("These queries enter style.yaml")
    assert lines[-1] == "nothing was written"


def test_private_queries_are_shown_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    log("log.csv", [*LOG[:5], "mail of jane@example.org", "order 123456"])
    style("--yes")
    printed = capsys.readouterr().out + Path("style.yaml").read_text()
    assert "jane" not in printed
    assert "123456" not in printed


def test_answered_queries_are_taken_if_a_hundred_are_left(capsys: pytest.CaptureFixture[str]) -> None:
    def answered(count: int) -> None:
        rows = [{"query": f"query number {number}", "source": "a.md"} for number in range(count)]
        files.write_jsonl(Path("real.jsonl"), rows)

    for count, examples in ((112, 12), (107, 7)):
        answered(count)
        style("real.jsonl", "--yes")
        assert len(yaml.safe_load(Path("style.yaml").read_text())["examples"]) == examples
        Path("params.yaml").write_text(PARAMS)
    answered(104)
    with pytest.raises(SystemExit):
        style("real.jsonl", "--yes")
    assert "without one are needed, or 105 with one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "message"),
    [("gone.csv", "gone.csv not found: give a table"), ("few.csv", "few.csv has 4 queries without an answer")],
)
def test_a_table_that_shows_no_style_is_refused(table: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    log("few.csv", LOG[:4])
    with pytest.raises(SystemExit):
        style(table, "--yes")
    assert message in capsys.readouterr().out
