"""`fieldtune estimate`: the same line as the stage prints before its first request, worked out by hand."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fieldtune.commands import cli, estimate
from fieldtune.corpus import files
from fieldtune.runtime import paths
from fieldtune.runtime.errors import UserError
from stages.generate.__main__ import work
from tests.generate.workspace import ROOT, passages

# System 400 characters, title and text 10 + 390: 800 / 4 + 15 = 215 tokens in, 4 x 25 + 15 = 115 out, 1,000 times.
# 215,000 x $0.10 + 115,000 x $0.50 per million = $0.0215 + $0.0575; half of that in a batch.
LINE = (
    "1,000 passages: 0 in the store, 1,000 to ask for; about 215,000 tokens in, 115,000 out: $0.0790, "
    "in a batch $0.0395 (claude-haiku-5-5, prices of 2026-11-24)"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    Path(".dvc").mkdir()
    shutil.copytree(ROOT / "conf", "conf")
    Path("params.yaml").write_text(
        "documents: docs\nqueries: data/none.jsonl\npairs: data/none.jsonl\nmodel: minilm\n"
        "model_path: data/none.jsonl\npin: data/none.jsonl\nstyle: data/none.jsonl\nrivals: data/none.jsonl\n"
        "generator: claude\n"
        "generate: {passages: null}\n"
    )
    files.write_text(Path("data/none.jsonl"), "")
    change("_messages", system="s" * 400, user="{title}{text}")
    rows = [{**p, "title": "t" * 10, "text": f"{number:0390}"} for number, p in enumerate(passages(range(1000)))]
    files.write_jsonl(paths.PASSAGES, rows)


def change(file: str, **messages: Any) -> None:
    """Set keys of `messages:` in a file of conf/generator/."""
    path = f"conf/generator/{file}.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(path), {"messages": messages}), path)


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ([], f"{LINE}\n$0.0000 spent on this prompt so far, of $5.00\n"),
        (["--generator", "claude_batch"], f"{LINE}\n$0.0000 spent on this prompt so far, of $5.00\n"),
        (["--generator", "keyphrases"], "keyphrases: free\n"),
    ],
)
def test_it_tells_tokens_and_dollars(arguments: list[str], output: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["estimate", *arguments])
    assert capsys.readouterr().out == output


def test_it_counts_the_passages_that_a_model_writes_for(capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("passages: null", "passages: 300"))
    cli.main(["estimate"])
    assert capsys.readouterr().out.startswith(
        "300 passages: 0 in the store, 300 to ask for; about 64,500 tokens in, 34,500 out: $0.0237, in a batch $0.0118"
    )


def test_with_a_free_generator_chosen_it_tells_what_claude_would_cost(capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("claude", "keyphrases"))
    cli.main(["estimate"])
    assert capsys.readouterr().out.startswith(LINE)


@pytest.mark.parametrize(("way", "stops"), [("claude", True), ("claude_batch", False)])
def test_an_estimate_above_the_budget_says_that_the_stage_would_stop(
    way: str, stops: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    change(way, budget_usd=0.05)
    cli.main(["estimate", "--generator", way])
    end = "! more than the budget of $0.0500: the stage would stop when the budget is spent\n" if stops else ""
    assert capsys.readouterr().out == f"{LINE}\n$0.0000 spent on this prompt so far, of $0.0500\n{end}"


def test_the_stage_prints_the_same_line_before_it_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    from stages.compose.compose import compose, stage_yaml

    files.write_text(paths.CONFIG / "generate.yaml", stage_yaml(compose(paths.PARAMS, paths.CONF), "generate"))
    with pytest.raises(UserError, match="ANTHROPIC_API_KEY is not set"):
        work()
    assert capsys.readouterr().out == f"  {LINE}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--generator", "gpt"], "gpt is not a choice of conf/generator/; available: claude, claude_batch, keyphrases"),
        (["--generator", "_base"], "_base is not a choice of conf/generator/; available: claude, claude_batch, "),
        ([], "data/passages/passages.jsonl not found: run `dvc repro ingest`"),
    ],
)
def test_what_is_not_there_is_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not arguments:
        paths.PASSAGES.unlink()
    with pytest.raises(SystemExit, match="1"):
        cli.main(["estimate", *arguments])
    output = capsys.readouterr().out
    assert line in output
    assert output.count("\n") == 1


def test_a_model_without_a_price_is_refused() -> None:
    change("claude", model="claude-unheard-of")
    with pytest.raises(UserError, match=r"messages\.prices has no price for claude-unheard-of"):
        estimate.estimate("claude")
